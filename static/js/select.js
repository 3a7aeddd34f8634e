// Selecting in the vault: a tap ticks instead of opening, a long press begins it. The bar's form carries the ids.
import { fill } from "./say.js";

const MOST = 200;
const HELD = 550;

function swallow(tap) {
  tap.preventDefault();
  tap.stopImmediatePropagation();
}

export default function select(button) {
  const place = document.getElementById(button.dataset.for);
  const bar = document.getElementById("select-bar");
  const chosen = new Set();
  let timer;
  button.removeAttribute("data-waits");

  const shots = () => place.querySelectorAll(".shot");

  function draw(shot) {
    shot.setAttribute("role", "checkbox");
    shot.setAttribute("aria-checked", String(chosen.has(shot.dataset.id)));
  }

  function count() {
    const full = chosen.size > MOST;
    bar.querySelector("[data-count]").textContent = full ? bar.dataset.tooMany : fill(bar.dataset.words, { n: chosen.size });
    for (const act of bar.querySelectorAll("[data-acts]")) act.disabled = !chosen.size || full;
  }

  function turn(on) {
    place.toggleAttribute("data-selecting", on);
    button.setAttribute("aria-pressed", String(on));
    bar.hidden = !on;
    chosen.clear();
    for (const shot of shots()) {
      if (on) draw(shot);
      else {
        shot.removeAttribute("role");
        shot.removeAttribute("aria-checked");
      }
    }
    count();
  }

  function toggle(shot) {
    const { id } = shot.dataset;
    if (!chosen.delete(id)) chosen.add(id);
    draw(shot);
    count();
  }

  const selecting = () => place.hasAttribute("data-selecting");

  button.addEventListener("click", () => turn(!selecting()));
  bar.querySelector("[data-end]").addEventListener("click", () => {
    turn(false);
    button.focus();
  });
  // before the viewer's own listener
  place.addEventListener(
    "click",
    (event) => {
      const shot = event.target.closest(".shot");
      if (!shot || !selecting()) return;
      event.preventDefault();
      toggle(shot);
    },
    true,
  );
  place.addEventListener("keydown", (event) => {
    const shot = event.target.closest(".shot");
    if (!shot || !selecting() || event.key !== " ") return;
    event.preventDefault();
    toggle(shot);
  });
  place.addEventListener("pointerdown", (event) => {
    const shot = event.target.closest(".shot");
    if (!shot || selecting() || event.pointerType === "mouse") return;
    timer = setTimeout(() => {
      turn(true);
      toggle(shot);
      // the tap that ends the press is no second tick
      place.addEventListener("click", swallow, { capture: true, once: true });
    }, HELD);
  });
  for (const sign of ["pointerup", "pointercancel", "pointermove"]) place.addEventListener(sign, () => clearTimeout(timer));
  place.addEventListener("contextmenu", (event) => selecting() && event.preventDefault());
  document.addEventListener("htmx:after:swap", () => {
    if (selecting()) for (const shot of shots()) draw(shot);
  });
  // a form's ids are written when it is sent; the page stays as it is for a download
  bar.addEventListener("submit", () => {
    for (const input of bar.querySelectorAll("input")) input.remove();
    for (const id of chosen) {
      const input = Object.assign(document.createElement("input"), { type: "hidden", name: "items", value: id });
      bar.append(input);
    }
  });
}
