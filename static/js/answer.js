// Photos in a reply go up while one writes, and stand in a strip above the words until it is sent: then when all are in,
// since a reply has no place for what is still on its way. Loaded by ./picker.js with the first photo.
import { Shelf } from "./shelf.js";
import { add, drafted, ready } from "./uploads.js";

const shelves = new WeakMap();

// Adds files to what was chosen for this reply, also before a reload.
export async function take(files, form) {
  const of = form.getAttribute("action");
  const shelf = shelves.get(form) ?? bind(form);
  for (const upload of add(files, { draft: of })) shelf.put(upload);
  await ready;
  for (const upload of drafted(of)) shelf.put(upload);
}

export function emptied(form) {
  return shelves.get(form)?.emptied() ?? [];
}

function bind(form) {
  const { text } = form.elements;
  const needsWords = text.required;
  const shelf = new Shelf(form.querySelector("[data-shelf]"), { beside: text });
  shelves.set(form, shelf);
  shelf.addEventListener("change", () => {
    text.required = needsWords && !shelf.photos.length; // a photo says enough
  });
  const hold = async (event) => {
    if (shelf.settled) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const button = form.querySelector("[type=submit]");
    if (button.disabled) return;
    const wait = form.querySelector("[data-wait]");
    button.disabled = true;
    wait.hidden = false;
    await shelf.wait();
    wait.hidden = true;
    button.disabled = false;
    form.requestSubmit();
  };
  form.addEventListener("submit", hold, { capture: true }); // before htmx sends it
  form.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
    const { status, headers } = ctx.response;
    if (ctx.sourceElement === form && status < 400 && headers.get("HC-Home")) shelf.shared();
  });
  return shelf;
}
