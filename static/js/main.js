// data-behavior="name": ./name.js exports default (element) => void, and is fetched when its first element appears. A
// name is a file of ours; nothing from a person reaches it.
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
      // Every page works without it, and so do the others. Tried again at the next swap.
      names.delete(name);
      if (!leaving) console.warn(`behaviour ${name} could not start`, error);
    }
  }
}

function bindWithin(root) {
  const found = [...root.querySelectorAll("[data-behavior]")];
  if (root.matches?.("[data-behavior]")) found.push(root);
  return Promise.all(found.map(bind));
}

let leaving = false; // then what was being fetched is let go: no fault
addEventListener("pagehide", () => (leaving = true));
addEventListener("pageshow", () => (leaving = false));

bindWithin(document).then(() => (document.documentElement.dataset.bound = "")); // the page listens
// What is new may stand beside the place that htmx reports, so the whole page is asked: what is bound is passed over.
document.addEventListener("htmx:after:swap", () => bindWithin(document));
document.addEventListener("htmx:after:process", (event) => {
  if (event.target instanceof Element) bindWithin(event.target);
});

// Only home's own answer is drawn: a café's sign-in page under home's number is as good as none.
const isReply = (asker) => asker?.matches?.('form[action$="/messages"]');
const isHomes = ({ response: answer, sourceElement }) => answer?.headers.get("HC-Home") && !(answer.raw.redirected && isReply(sourceElement));
document.addEventListener("htmx:before:response", (event) => {
  const { detail } = event;
  if (isHomes(detail.ctx)) return;
  event.preventDefault();
  document.dispatchEvent(new CustomEvent("htmx:error", { detail }));
});
// A reply that did not reach home is kept, and sent by itself.
document.addEventListener("htmx:error", ({ detail: { ctx } }) => {
  const reply = ctx?.sourceElement;
  if (isReply(reply) && !isHomes(ctx)) import("./later.js").then(({ unsent }) => unsent(reply), () => {});
});

// Files on their way when the last page was left go on.
if (localStorage.getItem("queue") && document.getElementById("tray")) import("./uploads.js");
if (localStorage.getItem("later") && document.getElementById("tray")) import("./later.js"); // and words

// A form that came back with problems says so: its summary takes the focus.
document.querySelector(".problems[autofocus]")?.focus();
