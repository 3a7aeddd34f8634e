// Copies or shares a link, or prints the page, where this browser can: the buttons of what it cannot stay hidden.
import { toast } from "./toast.js";

const url = (element) => new URL(element.dataset.link, location.href).href;

const ways = {
  copy: { can: () => navigator.clipboard, act: (element) => navigator.clipboard.writeText(url(element)) },
  share: {
    can: () => navigator.share,
    act: (element) => navigator.share({ title: element.dataset.title, url: url(element) }),
  },
  print: { can: () => true, act: () => print() },
};

function offer(button, element, name) {
  const way = ways[name];
  button.hidden = !way.can();
  button.addEventListener("click", async () => {
    try {
      await way.act(element);
      button.closest("[popover]")?.hidePopover();
      if (name === "copy") said(element);
    } catch {
      // not allowed, or thought better of: the link is there to be read
    }
  });
}

// Set-up's page has no tray and so no toasts: there the button itself says it.
function said(element) {
  if (document.getElementById("tray")) toast(element.dataset.done);
  else element.querySelector("[data-act=copy]").textContent = element.dataset.done;
}

export default function copy(element) {
  if (element.matches("button")) offer(element, element, "copy");
  for (const button of element.querySelectorAll("[data-act]")) offer(button, element, button.dataset.act);
}
