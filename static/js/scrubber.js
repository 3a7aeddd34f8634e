// A handle along the edge, there while one scrolls: drag it, or take the arrow keys (a month) and Page keys (a year).
// "Jump to month" is the way without dragging.
const RESTS = 1500;

export default function scrubber(place) {
  const months = [...place.querySelectorAll(".month")];
  if (months.length < 3) return;
  const bar = document.createElement("div");
  bar.className = "scrubber no-print";
  bar.tabIndex = 0;
  bar.setAttribute("role", "slider");
  bar.setAttribute("aria-orientation", "vertical");
  bar.setAttribute("aria-label", place.dataset.scrubber);
  bar.setAttribute("aria-valuemin", "0");
  bar.setAttribute("aria-valuemax", String(months.length - 1));
  const thumb = document.createElement("div");
  thumb.className = "scrubber-thumb";
  const bubble = document.createElement("div");
  bubble.className = "scrubber-bubble";
  bar.append(thumb, bubble);
  place.after(bar);
  let timer;

  const top = () => scrollY + place.getBoundingClientRect().top;
  const whole = () => Math.max(1, place.offsetHeight - innerHeight / 2);
  const current = () => Math.max(0, months.findLastIndex((month) => month.getBoundingClientRect().top < 120));

  function draw() {
    const share = Math.min(1, Math.max(0, (scrollY - top()) / whole()));
    const number = current();
    thumb.style.insetBlockStart = bubble.style.insetBlockStart = `${share * 100}%`;
    bubble.textContent = months[number].dataset.name;
    bar.setAttribute("aria-valuenow", String(number));
    bar.setAttribute("aria-valuetext", months[number].dataset.name);
  }

  function show() {
    bar.toggleAttribute("data-shown", true);
    clearTimeout(timer);
    timer = setTimeout(() => bar.hasAttribute("data-held") || bar.removeAttribute("data-shown"), RESTS);
  }

  function drag(event) {
    const box = bar.getBoundingClientRect();
    scrollTo({ top: top() + ((event.clientY - box.top) / box.height) * whole() });
  }

  bar.addEventListener("pointerdown", (event) => {
    bar.setPointerCapture(event.pointerId);
    bar.toggleAttribute("data-held", true);
    drag(event);
  });
  bar.addEventListener("pointermove", (event) => bar.hasAttribute("data-held") && drag(event));
  for (const sign of ["pointerup", "pointercancel"]) {
    bar.addEventListener(sign, () => {
      bar.removeAttribute("data-held");
      show();
    });
  }
  bar.addEventListener("keydown", (event) => {
    const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, PageDown: 12, PageUp: -12, Home: -months.length, End: months.length };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    months[Math.min(months.length - 1, Math.max(0, current() + step))].scrollIntoView();
    draw();
  });
  addEventListener(
    "scroll",
    () => {
      draw();
      show();
    },
    { passive: true },
  );
  draw();
}
