// The composer: the page's own form, made comfortable. Photos go up while one writes, the words are kept on this device,
// and sharing waits for the photos. What is sent is the form itself, so whatever holds without scripts holds here.
// Loaded by ./composer.js with the first wish to write.
import { bring } from "./cards.js";
import { DRAFT } from "./composer.js";
import { fill, say } from "./say.js";
import { add, BLANK, copyOf } from "./uploads.js";

const COUNTED_FROM = 200; // letters left
const composers = new WeakMap();

class Composer {
  constructor(element) {
    this.element = element;
    this.form = element.querySelector("form");
    this.text = this.form.elements.text;
    this.shelf = this.form.querySelector("[data-shelf]");
    this.button = this.form.querySelector("[type=submit]");
    this.photos = []; // {upload, line}
    this.status = document.createElement("p");
    this.status.className = "small quiet";
    this.status.setAttribute("role", "status");
    this.form.querySelector(".composer-tools").before(this.status);
    this.text.addEventListener("input", () => this.draw());
    this.form.addEventListener("change", () => this.drawAudience());
    this.element.addEventListener("toggle", () => this.element.open && this.text.focus());
    this.recall();
    if (this.element.open) this.text.focus(); // opened before this module was here
    this.draw();
  }

  open() {
    if ("open" in this.element) this.element.open = true;
    this.element.closest("dialog:not([open])")?.showModal();
  }

  take(files) {
    this.open();
    for (const upload of add(files)) this.put(upload);
    this.draw();
  }

  put(upload) {
    const line = copyOf("shelf");
    const photo = { upload, line };
    const name = upload.file.name;
    const picture = line.querySelector("img");
    picture.alt = name;
    picture.src = BLANK;
    upload.thumb.then((url) => {
      picture.src = url;
    });
    for (const button of line.querySelectorAll("[data-act]")) {
      button.setAttribute("aria-label", fill(button.getAttribute("aria-label"), { name }));
      button.addEventListener("click", () => this.move(photo, button.dataset.act));
    }
    line.querySelector("progress").setAttribute("aria-label", name);
    upload.addEventListener("change", () => this.follow(photo));
    this.photos.push(photo);
    this.shelf.append(line);
    this.follow(photo);
  }

  move(photo, act) {
    const { line, upload } = photo;
    if (act === "remove") {
      const beside = line.nextElementSibling ?? line.previousElementSibling;
      (beside?.querySelector("[data-act=remove]") ?? this.text).focus();
      if (upload.state !== "done") upload.remove();
      this.drop(photo);
      return;
    }
    const other = act === "earlier" ? line.previousElementSibling : line.nextElementSibling;
    if (other) act === "earlier" ? other.before(line) : other.after(line);
    line.querySelector(`[data-act=${act}]`).focus();
  }

  drop(photo) {
    photo.line.remove();
    this.photos = this.photos.filter((each) => each !== photo);
    this.draw();
  }

  // What has arrived goes into the form, in the order of the shelf.
  follow(photo) {
    const { upload, line } = photo;
    if (upload.state === "removed") return this.drop(photo);
    const bar = line.querySelector("progress");
    bar.value = upload.percent;
    bar.hidden = upload.settled;
    line.dataset.state = upload.state;
    line.querySelector("[data-words]").textContent = upload.state === "uploading" ? `${upload.percent} %` : upload.words;
    if (upload.item && !line.querySelector("[name=items]")) {
      const field = document.createElement("input");
      Object.assign(field, { type: "hidden", name: "items", value: upload.item });
      line.append(field);
    }
    if (this.waiting && this.photos.every((each) => each.upload.settled)) this.waiting();
  }

  recall() {
    this.text.value ||= localStorage.getItem(DRAFT) ?? "";
  }

  draw() {
    const left = this.text.maxLength - this.text.value.length;
    const count = this.form.querySelector("[data-count]");
    count.hidden = left > COUNTED_FROM;
    if (!count.hidden) count.textContent = fill(this.element.dataset.left ?? "{n}", { n: left });
    this.button.disabled = !this.text.value.trim() && !this.shelf.children.length;
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
    this.sharing = true;
    this.button.disabled = true;
    try {
      if (this.photos.some((each) => !each.upload.settled)) {
        this.tell(this.form.dataset.wait);
        await new Promise((resolve) => {
          this.waiting = resolve;
        });
      }
      this.tell("");
      await this.send();
    } catch {
      this.tell(document.getElementById("tray").dataset.failed); // not reached: all is kept, and the once-key with it
    }
    this.waiting = undefined;
    this.sharing = false;
    this.draw();
  }

  async send() {
    const headers = { "HX-Request": "true", Accept: "text/html" }; // the answer is then the new card alone
    const answer = await fetch(this.form.action, { method: "POST", headers, body: new FormData(this.form) });
    if (answer.status >= 500) throw new Error(answer.statusText);
    const drawn = await answer.text();
    if (!answer.ok) return this.refused(drawn);
    localStorage.removeItem(DRAFT);
    if (this.element.id !== "composer") return location.assign("/");
    this.renew();
    bring(drawn);
    scrollTo({ top: 0 });
    this.element.querySelector("summary").focus();
  }

  // An empty form with another key, so that the next post is not taken for a repetition of this one.
  renew() {
    this.form.querySelector(".problems")?.remove();
    this.form.reset();
    this.text.value = "";
    this.form.elements.once.value = crypto.getRandomValues(new Uint32Array(4)).join("");
    for (const photo of this.photos) if (photo.upload.state !== "done") photo.upload.remove();
    this.photos = [];
    this.shelf.replaceChildren();
    this.drawAudience();
    this.element.open = false;
  }

  refused(page) {
    const told = new DOMParser().parseFromString(page, "text/html").querySelector(".problems, main .lead");
    this.form.querySelector(".problems")?.remove();
    if (!told) throw new Error("an answer without words");
    this.form.prepend(document.adoptNode(told));
    told.focus();
    say(told.textContent);
  }
}

export default function writing(element) {
  if (!composers.has(element)) composers.set(element, new Composer(element));
  return composers.get(element);
}
