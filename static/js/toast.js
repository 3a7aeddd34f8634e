// A sentence above the bar with at most one action: goes by itself after ten seconds, or stays until it is closed for
// those who read with big letters. The pointer or the focus on it holds it.
const LASTS = 10_000;
const place = document.getElementById("toasts");
const known = new WeakSet();

function settle(one) {
  if (known.has(one)) return;
  known.add(one);
  const gone = () => one.remove();
  if (document.documentElement.dataset.text > 2) {
    const close = document.createElement("button");
    close.className = "button";
    close.type = "button";
    close.textContent = place.dataset.close;
    close.addEventListener("click", gone);
    one.append(close);
    return;
  }
  let timer = setTimeout(gone, LASTS);
  const hold = () => clearTimeout(timer);
  const release = () => {
    hold();
    timer = setTimeout(gone, LASTS);
  };
  for (const sign of ["pointerenter", "focusin"]) one.addEventListener(sign, hold);
  for (const sign of ["pointerleave", "focusout"]) one.addEventListener(sign, release);
}

// Shows a sentence of the page's.
export function toast(words) {
  const one = document.querySelector('[data-template="toast"]').content.firstElementChild.cloneNode(true);
  one.querySelector("[data-words]").textContent = words;
  one.querySelector("button").remove();
  place.replaceChildren(one);
  settle(one);
}

export default function toasts(element) {
  const all = () => element.querySelectorAll("[data-toast]").forEach(settle);
  all();
  new MutationObserver(all).observe(element, { childList: true });
}
