// The door to the composer: what of it must be there at once. The rest (./writing.js) is loaded when somebody begins to
// write or chooses a photo, or when the page has come to rest: so that it is there when home is not.
import { toast } from "./toast.js";

export const DRAFT = "draft"; // in localStorage: the words of this device that are not shared yet
export const SHELF = "shelf"; // and whether photos stand with them; on a device for all, neither is kept
const REST = 2000;

const write = async (element) => (await import("./writing.js")).default(element);

export default function composer(element) {
  const form = element.querySelector("form");
  // Buttons instead of the plain field.
  const files = form.querySelector("[data-files]");
  files.hidden = true;
  files.querySelector("input").disabled = true;
  for (const label of form.querySelectorAll("[data-pick]")) label.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const composing = await write(element).catch(() => sendPlainly(form));
    composing?.share();
  });
  setTimeout(() => import("./writing.js").catch(() => {}), REST);
  const { text } = form.elements;
  text.addEventListener("input", () => {
    if (text.value && document.getElementById("live").dataset.me) localStorage.setItem(DRAFT, text.value);
    else localStorage.removeItem(DRAFT);
  });
  const closed = element.matches("details:not([open])");
  if (!closed) return void write(element);
  element.addEventListener("toggle", () => write(element).catch(() => {}));
  const line = element.querySelector("summary > span:not([class])");
  const kept = localStorage.getItem(DRAFT) || localStorage.getItem(SHELF);
  if (kept && element.dataset.draft) line.textContent = element.dataset.draft;
}

// The rest could not be loaded: a newer home, with other files, gets the plain form.
async function sendPlainly(form) {
  try {
    await fetch("/healthz");
    form.submit();
  } catch {
    toast(document.getElementById("tray").dataset.failed);
  }
}

// Files from wherever: into the page's composer, or into one that is fetched for a page without.
export async function take(files) {
  if (!files.length) return;
  const here = document.querySelector("[data-behavior~=composer]") ?? (await (await import("./borrow.js")).default());
  (await write(here)).take(files);
}

// On a desk: files may be dropped anywhere on the page or pasted.
const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
document.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
document.addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  take([...event.dataTransfer.files]);
});
document.addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length) take(files);
});
// The buttons of an empty feed open the composer above them.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  const place = document.getElementById("composer");
  if (!opener || !place) return;
  event.preventDefault();
  if (opener.dataset.opens === "photos") place.querySelector("[data-pick] input").click();
  else place.open = true;
});
