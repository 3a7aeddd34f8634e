// The door to the composer: what of it must be there at once. The rest (./writing.js, ./uploads.js) is loaded when
// somebody begins to write or chooses a photo, or when the page has come to rest: so that it is there when home is not.
import { toast } from "./toast.js";

export const DRAFT = "draft"; // in localStorage: the words of this device that are not shared yet
const REST = 2000;

const write = async (element) => (await import("./writing.js")).default(element);

export default function composer(element) {
  const form = element.querySelector("form");
  // The plain field for files gives way to the buttons that begin at once.
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
    if (text.value) localStorage.setItem(DRAFT, text.value);
    else localStorage.removeItem(DRAFT);
  });
  const closed = element.matches("details:not([open])");
  if (!closed) return void write(element);
  element.addEventListener("toggle", () => write(element).catch(() => {}), { once: true });
  const line = element.querySelector("summary > span:not([class])");
  if (localStorage.getItem(DRAFT) && element.dataset.draft) line.textContent = element.dataset.draft;
}

// The rest could not be loaded. When home is there (a newer one, with other files), the form goes its plain way; else all
// stays as it is.
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
  const here = document.querySelector("[data-behavior~=composer]") ?? (await borrow());
  (await write(here)).take(files);
}

async function borrow() {
  const answer = await fetch("/new");
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const known = new Set([...document.styleSheets].map((sheet) => sheet.href));
  for (const sheet of page.querySelectorAll("link[rel=stylesheet]")) {
    if (!known.has(sheet.href)) document.head.append(document.adoptNode(sheet));
  }
  const dialog = document.createElement("dialog");
  dialog.className = "sheet";
  const head = document.querySelector("#tray .sheet-head").cloneNode(true);
  head.querySelector("h2").textContent = page.querySelector("h1").textContent;
  head.querySelector("h2").id = "composer-title";
  dialog.setAttribute("aria-labelledby", "composer-title");
  const form = document.adoptNode(page.querySelector("[data-behavior~=composer]"));
  form.classList.remove("card");
  dialog.append(head, form);
  document.body.append(dialog);
  document.dispatchEvent(new Event("htmx:after:swap")); // its own fields for files are bound by main.js
  return form;
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
// "Add a photo" and "Write something" of an empty feed open the composer that stands above them.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  const place = document.getElementById("composer");
  if (!opener || !place) return;
  event.preventDefault();
  if (opener.dataset.opens === "photos") place.querySelector("[data-pick] input").click();
  else place.open = true;
});
