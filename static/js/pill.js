// "2 new posts – show". At the top of a page on which nobody is busy they come by themselves.
import { bringNewer, has, refresh } from "./cards.js";
import { fill, say } from "./say.js";

const SPOKEN_EVERY = 30_000;

// Nothing may move under the hand.
function busy() {
  if (document.querySelector(".composer[open], details.reply[open], dialog[open]")) return true;
  try {
    return document.querySelector(":popover-open") !== null;
  } catch {
    return false; // a browser without popovers
  }
}

export default function pill(element) {
  const waiting = new Set();
  let spoken = 0;
  let timer;

  function words() {
    return waiting.size === 1 ? element.dataset.one : fill(element.dataset.many, { n: waiting.size });
  }

  // It was waiting here for its first photo.
  const own = (id) => document.getElementById(`draft-${id}`);

  function count() {
    for (const id of waiting) if (has(id)) waiting.delete(id);
    return waiting.size;
  }

  async function show() {
    try {
      await bringNewer();
      // Put back from the trash, or more than one page of them.
      if (count()) await refresh();
      waiting.clear();
      element.hidden = true;
    } catch {
      offer(); // not reached: the pill stays
    }
  }

  function offer() {
    if (!count()) return;
    element.querySelector("[data-words]").textContent = words();
    element.hidden = false;
    if (Date.now() - spoken < SPOKEN_EVERY) return;
    spoken = Date.now();
    say(words());
  }

  element.addEventListener("click", (event) => {
    if (location.search) return; // an older page: home is a page away
    event.preventDefault();
    scrollTo({ top: 0 });
    show();
  });
  document.getElementById("live").addEventListener("feed", ({ detail: { id } }) => {
    if (has(id)) return;
    waiting.add(id);
    if ((own(id) || scrollY < 80) && !location.search && !busy()) return show();
    clearTimeout(timer);
    timer = setTimeout(offer, 1000); // one's own post is on its way here by the composer
  });
  document.addEventListener("htmx:after:process", () => {
    if (!count()) element.hidden = true;
    else if ([...waiting].some(own)) show(); // its hint was here before its answer
  });
}
