// "Gran replied ↓": on the page of one post, when an answer came below what the reader sees. One who is at the end sees
// it come.
import { fill, say } from "./say.js";

const NEAR = 120; // pixels
setTimeout(() => import("./later.js").catch(() => {}), 2000); // for a reply that finds home out of reach

export default function talk(element) {
  const button = element.querySelector("button");
  const lines = () => [...document.querySelectorAll(`#${element.dataset.talk} .message`)];
  const known = new Set(lines().map((line) => line.id));
  const fresh = [];
  const below = (line) => line.getBoundingClientRect().top > element.closest("form").getBoundingClientRect().top - 8;
  let atEnd = true;

  const look = () => {
    const { scrollTop, scrollHeight, clientHeight } = document.scrollingElement;
    atEnd = scrollHeight - clientHeight - scrollTop < NEAR;
    while (fresh.length && !below(fresh[0])) fresh.shift();
    element.hidden = !fresh.length;
  };

  const heard = (_changes, observer) => {
    if (!element.isConnected) return observer.disconnect(); // a fresh form has come, with a pill of its own
    const others = lines().filter((line) => !known.has(line.id) && !line.hasAttribute("data-own"));
    for (const line of lines()) known.add(line.id);
    if (!others.length) return;
    const { textContent: name } = others.at(-1).querySelector(".message-body > b");
    button.querySelector("span").textContent = fill(element.dataset.words, { name });
    say(button.textContent);
    if (atEnd) return others.at(-1).scrollIntoView({ block: "end" });
    fresh.push(...others);
    look();
  };

  button.addEventListener("click", () => {
    const [first] = fresh.splice(0);
    element.hidden = true;
    first?.scrollIntoView({ block: "center" });
    first?.focus({ preventScroll: true });
  });
  new MutationObserver(heard).observe(document.getElementById("main"), { childList: true, subtree: true });
  addEventListener("scroll", look, { passive: true });
  look();
}
