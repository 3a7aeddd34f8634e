// A strip of what was chosen for one form, the composer's or a reply's: each with its picture, how far it is on its way,
// and what can be done about it. What has arrived goes into the form, in the order of the strip; with `coming` also what
// is still on its way, by its slot.
import { BLANK, sign } from "./preview.js";
import { fill } from "./say.js";
import { toast } from "./toast.js";
import { copyOf } from "./tray.js";

export class Shelf extends EventTarget {
  constructor(list, { coming = false, beside } = {}) {
    super();
    Object.assign(this, { list, coming, beside, photos: [] }); // photos: {upload, line}
  }

  get settled() {
    return this.photos.every((each) => each.upload.settled);
  }

  // Resolves when nothing on it is on its way any more.
  wait() {
    return new Promise((resolve) => {
      const look = () => this.settled && resolve();
      this.addEventListener("change", look);
      look();
    });
  }

  put(upload) {
    if (this.photos.some((each) => each.upload === upload)) return;
    const line = copyOf("shelf");
    const photo = { upload, line };
    const { name } = upload;
    line.querySelector("img").alt = name;
    sign(line, upload);
    for (const button of line.querySelectorAll("[data-act]")) {
      button.setAttribute("aria-label", fill(button.getAttribute("aria-label"), { name }));
      button.addEventListener("click", () => this.move(photo, button.dataset.act));
    }
    line.querySelector("progress").setAttribute("aria-label", name);
    this.photos.push(photo);
    this.list.append(line);
    upload.addEventListener("change", () => this.follow(photo));
    upload.addEventListener("seen", () => this.picture(photo));
    this.picture(photo);
    this.follow(photo);
  }

  async picture({ upload, line }) {
    const url = (await upload.thumb) || BLANK;
    line.querySelector("img").src = url;
    line.toggleAttribute("data-blank", url === BLANK); // a kind that this browser cannot draw: its sign and its name
    this.say(line, upload);
  }

  move(photo, act) {
    const { line, upload } = photo;
    if (act === "remove") {
      const beside = line.nextElementSibling ?? line.previousElementSibling;
      (beside?.querySelector("[data-act=remove]") ?? this.beside).focus();
      upload.remove();
      return this.drop(photo);
    }
    if (act === "keep" || act === "now") return upload.act();
    const other = act === "earlier" ? line.previousElementSibling : line.nextElementSibling;
    if (other) act === "earlier" ? other.before(line) : other.after(line);
    line.querySelector(`[data-act=${act}]`).focus();
  }

  drop(photo) {
    photo.line.remove();
    this.photos = this.photos.filter((each) => each !== photo);
    this.dispatchEvent(new Event("change"));
  }

  follow(photo) {
    const { upload, line } = photo;
    if (!this.photos.includes(photo)) return; // shared
    if (upload.state === "removed") return this.drop(photo);
    const bar = line.querySelector("progress");
    bar.value = upload.percent;
    bar.hidden = upload.settled;
    line.dataset.state = upload.state;
    line.querySelector("[data-act=keep]").hidden = upload.state !== "asks";
    line.querySelector("[data-act=now]").hidden = upload.state !== "held";
    this.say(line, upload);
    const wanted = upload.item ?? (this.coming && !upload.refused ? `coming-${upload.slot}` : "");
    line.querySelector("[name=items]")?.remove();
    if (wanted) line.append(Object.assign(document.createElement("input"), { type: "hidden", name: "items", value: wanted }));
    this.dispatchEvent(new Event("change"));
  }

  // What has no picture is told by its name.
  say(line, { state, name, percent, words }) {
    const named = state === "asks" || (state === "done" && line.hasAttribute("data-blank"));
    line.querySelector("[data-words]").textContent = state === "uploading" ? `${percent} %` : `${named ? `${name}: ` : ""}${words}`;
  }

  // Sent off with its form: an empty strip. What was refused is gone, and that is said.
  shared() {
    const photos = this.emptied();
    const refused = photos.filter((upload) => upload.refused);
    if (refused.length) toast(refused.map(({ name, words }) => `${name}: ${words}`).join(" "));
    for (const upload of photos) upload.refused ? upload.remove() : upload.shared();
  }

  emptied() {
    const { photos } = this;
    this.photos = [];
    this.list.replaceChildren();
    this.dispatchEvent(new Event("change"));
    return photos.map(({ upload }) => upload);
  }
}
