// A long text shows its first eight lines and a button. The server's card knows nothing of it, so that without scripts
// all is there to read; what the reader has opened stays open when the card is drawn again.
const folds = new Set();
let next = 0;

function draw(fold) {
  const { element } = fold;
  const text = element.querySelector(".post-text");
  element.toggleAttribute("data-folded", !fold.open);
  const long = fold.open || text.scrollHeight > text.clientHeight + 4;
  if (!long) element.removeAttribute("data-folded");
  const button = element.querySelector("[data-unfold]") ?? (long ? unfolder(fold, text) : null);
  if (!button) return;
  button.hidden = !long;
  button.textContent = fold.open ? element.dataset.less : element.dataset.more;
  button.setAttribute("aria-expanded", String(fold.open));
}

function unfolder(fold, text) {
  const button = document.createElement("button");
  text.id ||= `words-${next++}`;
  Object.assign(button, { type: "button", className: "button" });
  Object.assign(button.dataset, { kind: "plain", unfold: "" });
  button.setAttribute("aria-controls", text.id);
  button.addEventListener("click", () => {
    fold.open = !fold.open;
    draw(fold);
  });
  fold.element.append(button);
  return button;
}

export default function fold(element) {
  const one = { element, open: false };
  folds.add(one);
  draw(one);
}

document.addEventListener("htmx:after:swap", () => {
  for (const one of folds) {
    if (!one.element.isConnected) folds.delete(one);
    else if (!one.element.querySelector("[data-unfold]")) draw(one);
  }
});
