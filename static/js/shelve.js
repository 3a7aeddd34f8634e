// Straight into the vault, without a post: files chosen here, or files and whole folders dropped on the page of the vault.
// The queue carries them; when they are in, a sentence asks for whom they are. Without this the link leads to a plain form.
import { fill } from "./say.js";

const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");

// A folder tells of itself a part at a time.
async function within(entry) {
  if (entry.isFile) return [await new Promise((found, lost) => entry.file(found, lost))];
  const reader = entry.createReader();
  const files = [];
  for (;;) {
    const part = await new Promise((found, lost) => reader.readEntries(found, lost));
    if (!part.length) return files.filter((file) => !file.name.startsWith("."));
    for (const each of part) files.push(...(await within(each)));
  }
}

async function dropped({ items, files }) {
  const entries = [...items].map((each) => each.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...files];
  return (await Promise.all(entries.map((entry) => within(entry).catch(() => [])))).flat();
}

const settled = (upload) =>
  new Promise((resolve) => {
    const look = () => upload.settled && resolve(upload.item);
    upload.addEventListener("change", look);
    look();
  });

export default function shelve(link) {
  async function take(files) {
    if (!files.length) return;
    const { add } = await import("./uploads.js");
    ask((await Promise.all(add(files).map(settled))).filter(Boolean));
  }

  function ask(items) {
    if (!items.length) return;
    const one = document.querySelector('[data-template="toast"]').content.firstElementChild.cloneNode(true);
    one.querySelector("[data-words]").textContent = fill(link.dataset.words, { n: items.length });
    const way = Object.assign(document.createElement("a"), { className: "button", textContent: link.dataset.ask });
    way.href = `/vault/whom?${new URLSearchParams(items.slice(0, 200).map((item) => ["items", item]))}`;
    one.querySelector("button").replaceWith(way);
    document.getElementById("toasts").replaceChildren(one);
  }

  link.addEventListener("click", (event) => {
    event.preventDefault();
    const field = Object.assign(document.createElement("input"), { type: "file", multiple: true });
    field.addEventListener("change", () => take([...field.files]));
    field.click();
  });
  document.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
  // before the composer's own listener: what is dropped on the vault needs no post
  document.addEventListener(
    "drop",
    async (event) => {
      if (!carriesFiles(event) || !link.isConnected) return;
      event.preventDefault();
      event.stopPropagation();
      take(await dropped(event.dataTransfer));
    },
    true,
  );
}
