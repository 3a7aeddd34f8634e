// Small pictures of files that are on their way, made one after another: a dozen photos of 12 megapixels at once would
// fill a phone's memory. The poster of a film goes to home too, which has nothing that could open one, and that of a photo
// too large for home.
const THUMB = 192; // pixels; shown at 96
const POSTER = { film: 1080, photo: 2016 }; // the longer edge
const LARGE = { "image/jpeg": 64e6, "image/heic": 52e6, "image/heif": 52e6, "image/avif": 52e6 }; // pixels: see vault/images.py
const LARGE_ELSE = 25e6;
const LARGE_FILE = 64 << 20; // bytes
const AT = 0.1; // seconds into the film: the very first frame is often black
const PATIENCE = 8000;

export const BLANK = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"; // until there is a picture

const PHOTO = /\.(hei[cf]|avif|jpe?g|png|gif|webp|tiff?)$/i;
const FILM = /\.(mp4|mov|m4v|webm|3gp|avi|mkv)$/i;

let painting = Promise.resolve();

// Resolves to { url, poster, width, height, duration }: a small picture, for films and large photos a JPEG, and what films
// measure.
export function look(file) {
  const paint = file.type.startsWith("image/") ? photo : file.type.startsWith("video/") ? film : nothing;
  painting = painting.then(() => paint(file)).catch(nothing); // a kind that this browser cannot draw: home will
  return painting;
}

// Until there is a picture, or where there will be none, a sign says what it is.
export function sign(place, { name, type }) {
  const is = (kind, ending) => type.startsWith(kind) || ending.test(name);
  const icon = is("image/", PHOTO) ? "image" : is("video/", FILM) ? "video" : "file-text";
  const use = place.querySelector(".kind use");
  use.setAttribute("href", use.getAttribute("href").replace(/#.*/, `#${icon}`));
}

// What this browser cannot draw, home can: the address of home's own small picture of an item, once there is one.
export async function atHome(item) {
  const live = document.getElementById("live");
  for (;;) {
    const drawn = new Promise((resolve) => live.addEventListener(`item-${item}`, resolve, { once: true }));
    const answer = await fetch(`/vault/${item}?part=tile`);
    if (!answer.ok) return undefined;
    const tile = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".tile");
    if (tile?.dataset.state !== "pending") return tile?.querySelector("img[srcset]")?.srcset.split(" ")[0];
    await drawn;
  }
}

const nothing = async () => ({ url: BLANK });

async function photo(file) {
  const { width, height } = await measured(file).catch(() => ({}));
  const isLarge = file.size > LARGE_FILE || width * height > (LARGE[file.type] ?? LARGE_ELSE);
  const picture = await createImageBitmap(file, { resizeHeight: isLarge ? fitting(height, width, POSTER.photo) : THUMB, resizeQuality: "medium" });
  const url = URL.createObjectURL(await small(picture, picture.width, picture.height));
  const poster = isLarge ? await drawn(picture, picture.width, picture.height, 0, picture.width, 0.7) : undefined;
  picture.close();
  return { url, poster };
}

async function measured(file) {
  const picture = new Image();
  picture.src = URL.createObjectURL(file);
  try {
    await heard(picture, "load");
    return { width: picture.naturalWidth, height: picture.naturalHeight };
  } finally {
    URL.revokeObjectURL(picture.src);
  }
}

const fitting = (one, other, most) => Math.round(one * Math.min(1, most / Math.max(one, other)));

async function film(file) {
  const video = document.createElement("video");
  Object.assign(video, { muted: true, playsInline: true, preload: "auto", src: URL.createObjectURL(file) });
  try {
    await heard(video, "loadeddata");
    const { videoWidth: width, videoHeight: height, duration } = video;
    video.currentTime = Math.min(AT, duration / 2 || 0);
    await heard(video, "seeked");
    const poster = await drawn(video, fitting(width, height, POSTER.film), fitting(height, width, POSTER.film));
    return { url: URL.createObjectURL(await small(video, width, height)), poster, width, height, duration };
  } finally {
    URL.revokeObjectURL(video.src);
    video.removeAttribute("src");
    video.load();
  }
}

function heard(medium, name) {
  return new Promise((resolve, reject) => {
    medium.addEventListener(name, resolve, { once: true });
    medium.addEventListener("error", reject, { once: true });
    setTimeout(reject, PATIENCE);
  });
}

function small(picture, width, height) {
  const wide = (THUMB * width) / height;
  return drawn(picture, THUMB, THUMB, (THUMB - wide) / 2, wide);
}

function drawn(picture, width, height, left = 0, wide = width, quality = 0.8) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").drawImage(picture, left, 0, wide, height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
}
