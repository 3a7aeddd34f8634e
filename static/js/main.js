// Brings a behaviour to every element that asks for one by data-behavior="name": ./name.js exports default (element) => void.
// A module is fetched when its first element appears, so a page pays only for what it shows. A name given is a file of
// ours beside this one; nothing from a person ever reaches data-behavior.
const bound = new WeakMap();

async function bind(element) {
  for (const name of element.dataset.behavior.split(" ")) {
    const names = bound.get(element) ?? bound.set(element, new Set()).get(element);
    if (names.has(name)) continue;
    names.add(name);
    try {
      const module = await import(`./${name}.js`);
      if (element.isConnected) module.default(element);
    } catch (error) {
      // Every page works without its behaviours; a lost file must not take the others along. Tried again at the next swap.
      names.delete(name);
      console.warn(`behaviour ${name} could not start`, error);
    }
  }
}

function bindWithin(root) {
  if (root.matches?.("[data-behavior]")) bind(root);
  for (const element of root.querySelectorAll("[data-behavior]")) bind(element);
}

bindWithin(document);
// After a swap htmx reports the place it changed; the new elements may stand beside it (outerHTML, afterbegin), so the
// whole page is asked again: what is bound already is passed over.
document.addEventListener("htmx:after:swap", () => bindWithin(document));
document.addEventListener("htmx:after:process", (event) => {
  if (event.target instanceof Element) bindWithin(event.target);
});

// The form that came back with problems says so to those who listen: its summary takes the focus.
document.querySelector(".problems[autofocus]")?.focus();
