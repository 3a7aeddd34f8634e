// Copies or shares a link, or prints the page, where this browser can: the buttons of what it cannot stay hidden.
import { toast } from "./toast.js";

const url = (element) => new URL(element.dataset.link, location.href).href;

const ways = {
  copy: { can: () => navigator.clipboard || document.queryCommandSupported?.("copy"), act: keepLink },
  share: {
    can: () => navigator.share,
    act: (element) => navigator.share({ title: element.dataset.title, url: url(element) }),
  },
  print: { can: () => true, act: () => print() },
};

// At home, on plain http, browsers have no clipboard for pages, but the old command still copies what is selected.
function keepLink(element) {
  if (navigator.clipboard) return navigator.clipboard.writeText(url(element));
  const focus = document.activeElement;
  const field = Object.assign(document.createElement("textarea"), { className: "vh", readOnly: true, value: url(element) });
  element.append(field); // beside its button: a popover would not let the focus go elsewhere
  field.select();
  const went = document.execCommand("copy");
  field.remove();
  focus?.focus();
  if (!went) throw new Error("not copied");
}

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
