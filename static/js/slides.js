// The photos of a post or of the vault, large, one after the other: PhotoSwipe, dressed for the house. Every word and
// every link in it is drawn by the server: the words under a photo are a fragment, asked for when it is looked at.
// Loaded by ./viewer.js with the first tap.
import { fill } from "./say.js";
import { TILES } from "./viewer.js";

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const captions = new Map();
const WIDE = 900; // pixels: there is room beside the photo, so nothing need lie over it
const BANDS = { top: 60, bottom: 132, left: 0, right: 0 };
const NONE = { top: 0, bottom: 0, left: 0, right: 0 };

// PhotoSwipe's own style sheet, before all of ours; and ours, which a page of the vault has already.
function stylesheets() {
  return Promise.all(["../vendor/photoswipe.css", "../css/vault.css"].map(stylesheet));
}

function stylesheet(path) {
  const url = new URL(path, import.meta.url).href;
  if ([...document.styleSheets].some((sheet) => sheet.href === url)) return undefined;
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: url });
  return new Promise((done) => {
    link.addEventListener("load", done);
    link.addEventListener("error", done);
    if (path.includes("vendor")) document.head.prepend(link);
    else document.head.append(link);
  });
}

async function fragment(url) {
  const answer = await fetch(url, { headers: { "HX-Request": "true" } });
  if (!answer.ok || !answer.headers.get("HC-Home")) throw new Error(`${url} answered ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html").body;
}

const idOf = (tile) => tile.dataset.id ?? tile.id.replace("tile-", "");

function slide(tile, shown) {
  const picture = shown?.querySelector("img:not(.ph)");
  const film = tile.dataset.kind === "video";
  return {
    id: idOf(tile),
    element: shown ?? undefined,
    msrc: picture?.currentSrc || tile.querySelector("img")?.getAttribute("src"),
    alt: tile.querySelector("img:not(.ph)")?.alt ?? "",
    src: tile.dataset.large,
    film: film ? `/vault/${idOf(tile)}/original` : "",
    type: film ? "film" : "image",
    width: Number(tile.dataset.pswpWidth) || 1600,
    height: Number(tile.dataset.pswpHeight) || 1200,
    thumbCropped: true,
  };
}

// The tiles to swipe through: those of this place, or all of a post of which the page shows four.
async function slides(place) {
  const here = new Map([...place.querySelectorAll(TILES)].map((tile) => [idOf(tile), tile]));
  let tiles = [...here.values()];
  if (place.dataset.all) {
    const all = await fragment(`${place.dataset.all}${place.dataset.all.includes("?") ? "&" : "?"}part=grid`).catch(() => null);
    if (all?.querySelector(TILES)) tiles = [...all.querySelectorAll(TILES)];
  }
  return tiles.map((tile) => slide(tile, here.get(idOf(tile))));
}

function film(content, words) {
  const video = document.createElement("video");
  Object.assign(video, { controls: true, playsInline: true, preload: "metadata", src: content.data.film, poster: content.data.src });
  video.className = "viewer-film";
  video.setAttribute("aria-label", content.data.alt || words.name);
  return video;
}

function caption(pswp, panel) {
  const { id } = pswp.currSlide.data;
  if (!captions.has(id)) {
    const asked = fragment(`/vault/${id}?part=caption`).then((body) => body.innerHTML);
    asked.catch(() => captions.delete(id));
    captions.set(id, asked);
  }
  panel.replaceChildren();
  captions.get(id).then(
    (html) => {
      if (pswp.currSlide?.data.id === id) panel.innerHTML = html;
    },
    () => {},
  );
}

// A popover that is opened from a menu would keep it open behind itself.
function details(event) {
  if (!event.target.closest(".menu [popovertarget=viewer-details]:not([popovertargetaction])")) return;
  event.preventDefault();
  document.getElementById("viewer-more").hidePopover();
  document.getElementById("viewer-details").showPopover();
}

function dress(pswp, words) {
  pswp.on("uiRegister", () => {
    pswp.ui.registerElement({
      name: "viewer",
      order: 9,
      appendTo: "root",
      onInit: (panel) => {
        // what one taps there is no tap on the photo
        for (const sign of ["pointerdown", "pointerup", "click", "touchstart"]) panel.addEventListener(sign, (event) => event.stopPropagation());
        panel.addEventListener("click", details);
        pswp.on("change", () => caption(pswp, panel));
      },
    });
  });
  pswp.on("afterInit", () => {
    pswp.element.setAttribute("aria-modal", "true");
    pswp.element.setAttribute("aria-label", words.name);
    const counter = pswp.element.querySelector(".pswp__counter");
    const count = () => {
      counter.textContent = fill(words.of, { n: pswp.currIndex + 1, total: pswp.getNumItems() });
    };
    pswp.on("change", count);
    count();
    pswp.element.querySelector(".pswp__button--close").focus();
  });
  pswp.on("contentLoad", (event) => {
    if (event.content.type !== "film") return;
    event.preventDefault();
    event.content.element = film(event.content, words);
  });
  pswp.on("contentDeactivate", ({ content }) => content.element?.pause?.());
  pswp.on("contentDestroy", ({ content }) => content.element?.pause?.());
  // what is open over the photo hears the keys first
  pswp.on("keydown", (event) => pswp.element.querySelector(":popover-open") && event.preventDefault());
  // the controls of a film are its own: no drag begins on them
  pswp.on("pointerDown", (event) => {
    if (event.originalEvent.target.closest?.("video")) event.preventDefault();
  });
}

// Back closes: opening is an entry of its own, and closing any other way takes it off again; the focus returns after
// that, since going back would take it away once more.
function keepBack(pswp, refocus) {
  history.pushState({ viewer: true }, "");
  const back = () => pswp.close();
  addEventListener("popstate", back, { once: true });
  pswp.on("destroy", () => {
    removeEventListener("popstate", back);
    if (!history.state?.viewer) return refocus();
    addEventListener("popstate", () => setTimeout(refocus), { once: true });
    history.back();
  });
}

export async function open(place, tile) {
  const words = document.getElementById("viewer-words").dataset;
  const [{ default: PhotoSwipe }, dataSource] = await Promise.all([import("../vendor/photoswipe.esm.min.js"), slides(place), stylesheets()]);
  const index = Math.max(0, dataSource.findIndex((each) => each.id === idOf(tile)));
  const pswp = new PhotoSwipe({
    dataSource,
    index,
    bgOpacity: 1,
    paddingFn: ({ x }) => (x < WIDE ? NONE : BANDS),
    showHideAnimationType: calm() ? "none" : "zoom",
    zoomAnimationDuration: calm() ? 0 : 280,
    closeSVG: words.close,
    zoom: false,
    closeTitle: words.close,
    zoomTitle: words.zoom,
    arrowPrevTitle: words.before,
    arrowNextTitle: words.after,
    errorMsg: words.failed,
    returnFocus: false,
    loop: false,
    preload: [1, 2],
  });
  // While it opens it would not hear that it should close again, by a key or otherwise, or that it should go on.
  const early = ({ key }) => {
    const step = { ArrowLeft: "prev", ArrowRight: "next" }[key];
    if (key === "Escape") pswp.close();
    else if (step) pswp.on("openingAnimationEnd", () => setTimeout(() => pswp[step]()));
  };
  addEventListener("keydown", early);
  pswp.on("openingAnimationEnd", () => removeEventListener("keydown", early));
  const close = pswp.close.bind(pswp);
  pswp.close = () => (pswp.opener.isOpen ? close() : pswp.on("openingAnimationEnd", () => setTimeout(close)));
  dress(pswp, words);
  // Back to the photo that is shown now, where the page has it; else to the one that was tapped.
  let last = tile;
  pswp.on("change", () => {
    last = pswp.currSlide.data.element ?? last;
  });
  pswp.init();
  // the card may have been drawn anew meanwhile: then the tile of the same name
  keepBack(pswp, () => (last.isConnected ? last : document.getElementById(last.id))?.focus());
}
