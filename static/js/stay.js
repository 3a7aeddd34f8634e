// While home is out of reach a tap on a link would end on the browser's own error page: one stays, and is told.
import { toast } from "./toast.js";

const strip = document.getElementById("strip-connection");

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  const words = strip?.querySelector("span").textContent;
  const isAway = strip && !strip.hidden && words !== strip.dataset.back;
  if (!link || !isAway || event.defaultPrevented || link.origin !== location.origin || link.getAttribute("href").startsWith("#")) return;
  event.preventDefault();
  toast(words);
});
