// The composer: the page's own form, made comfortable. Photos go up while one writes, and what is not shared yet is kept
// on this device. Sharing does not wait: what is still on its way stands in the post by its slot. What is sent is the form
// itself, so whatever holds without scripts holds here.
// Loaded by ./composer.js with the first wish to write.
import { bring, bringDraft } from "./cards.js";
import { DRAFT, SHELF } from "./composer.js";
import { hold, isHome, told } from "./later.js";
import { fill, say } from "./say.js";
import { Shelf } from "./shelf.js";
import { owner } from "./store.js";
import { toast } from "./toast.js";
import { words } from "./tray.js";
import { add, drafted, isKept, ready, staysInside } from "./uploads.js";

const COUNTED_FROM = 200; // letters left
const composers = new WeakMap();

class Composer {
  constructor(element) {
    this.element = element;
    this.form = element.querySelector("form");
    this.text = this.form.elements.text;
    this.shelf = new Shelf(this.form.querySelector("[data-shelf]"), { coming: true, beside: this.text });
    this.button = this.form.querySelector("[type=submit]");
    this.status = document.createElement("p");
    this.status.className = "small quiet";
    this.status.setAttribute("role", "status");
    this.form.querySelector(".composer-tools").before(this.status);
    this.text.addEventListener("input", () => this.draw());
    this.form.addEventListener("change", () => this.drawAudience());
    this.shelf.addEventListener("change", () => this.draw());
    this.element.addEventListener("toggle", () => this.element.open && this.text.focus());
    this.words = this.button.textContent;
    for (const name of ["offline", "online"]) addEventListener(name, () => this.draw());
    this.recall();
    ready.then(() => {
      for (const upload of drafted()) this.shelf.put(upload);
      this.draw();
    });
    if (this.element.open) this.text.focus(); // opened before this module was here, and perhaps somebody ticked
    this.drawAudience();
    this.draw();
  }

  get isHome() {
    return this.element.id === "composer";
  }

  open() {
    if ("open" in this.element) this.element.open = true;
    this.element.closest("dialog:not([open])")?.showModal();
  }

  take(files) {
    this.open();
    add(files, { draft: true });
    for (const upload of drafted()) this.shelf.put(upload);
    this.draw();
  }

  recall() {
    this.text.value ||= localStorage.getItem(DRAFT) ?? "";
  }

  draw() {
    if (this.shelf.photos.length && owner()) localStorage.setItem(SHELF, "1");
    else localStorage.removeItem(SHELF);
    const left = this.text.maxLength - this.text.value.length;
    const count = this.form.querySelector("[data-count]");
    count.hidden = left > COUNTED_FROM;
    if (!count.hidden) count.textContent = fill(this.element.dataset.left ?? "{n}", { n: left });
    this.button.textContent = (!navigator.onLine && words.offline) || this.words;
    this.button.disabled = this.sharing || (!this.text.value.trim() && !this.shelf.list.children.length);
  }

  drawAudience() {
    const line = this.form.querySelector("[data-audience-words]");
    if (!line) return;
    line.dataset.everyone ??= line.textContent;
    const names = [...this.form.querySelectorAll("[name=for]:checked")].map((box) => box.value && box.dataset.name);
    const list = new Intl.ListFormat(document.documentElement.lang);
    line.textContent = names.length ? list.format(names) : line.dataset.everyone;
  }

  tell(words) {
    this.status.textContent = words;
  }

  async share() {
    if (this.sharing) return;
    const asking = this.shelf.photos.find(({ upload }) => upload.state === "asks");
    if (asking) { // else the post would promise what may never come
      this.tell(this.form.dataset.asks);
      return asking.line.querySelector("[data-act=keep]").focus();
    }
    this.sharing = true;
    this.button.disabled = true;
    try {
      // where the queue would not outlive the next page, sharing waits for it
      if (!this.shelf.settled && !(this.isHome || (await isKept()))) {
        this.tell(this.form.dataset.wait);
        await this.shelf.wait();
      }
      this.tell("");
      await this.send();
    } catch {
      this.tell(words.failed); // a fault of home's: all is kept, and the once-key with it
    }
    this.sharing = false;
    this.draw();
  }

  async send() {
    const headers = { "HX-Request": "true", Accept: "text/html" }; // the answer is then the new card alone
    const body = new FormData(this.form);
    const sent = this.shelf.photos.map(({ upload }) => upload).filter((upload) => !upload.refused);
    const answer = await fetch(this.form.action, { method: "POST", headers, body }).catch(() => null);
    if (!isHome(answer)) return this.keep();
    const drawn = await answer.text();
    if (!answer.ok) return this.refused(drawn);
    localStorage.removeItem(DRAFT);
    this.shelf.shared();
    for (const upload of sent) if (upload.state === "removed") upload.shared(); // meanwhile
    localStorage.removeItem(SHELF);
    if (!this.isHome) {
      staysInside();
      return location.assign("/");
    }
    this.renew();
    if (!bringDraft(drawn)) bring(drawn);
    scrollTo({ top: 0 });
    this.element.querySelector("summary").focus({ preventScroll: true });
  }

  // Home cannot be reached: kept here, and sent by itself once it can.
  keep() {
    if (!owner()) return this.tell(words.failed); // on a device for all nothing is kept: it stays where it stands
    hold(this.form, () => this.shelf.emptied());
    localStorage.removeItem(DRAFT);
    localStorage.removeItem(SHELF);
    this.renew();
    if (this.isHome) scrollTo({ top: 0 });
    else toast(words.later);
    this.element.closest("dialog")?.close();
  }

  // An empty form with another key, so that the next post is not taken for a repetition of this one.
  renew() {
    this.form.querySelector(".problems")?.remove();
    this.form.reset();
    this.text.value = "";
    this.form.elements.once.value = crypto.getRandomValues(new Uint32Array(4)).join("");
    this.drawAudience();
    this.element.open = false;
  }

  refused(page) {
    const said = told(page);
    this.form.querySelector(".problems")?.remove();
    if (!said) throw new Error("an answer without words");
    if (!said.matches(".problems")) return this.tell(said.textContent.trim());
    this.form.prepend(document.adoptNode(said));
    said.focus();
    say(said.textContent);
  }
}

export default function writing(element) {
  if (!composers.has(element)) composers.set(element, new Composer(element));
  return composers.get(element);
}
