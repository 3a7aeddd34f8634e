// Files on their way into the vault, whatever page is open: the order of the queue, two at a time, the size of the
// pieces, and what is done when the line is cut. The bytes are carried by tus-js-client (loaded with the first file), the
// queue is kept over a reload by ./store.js, and ./tray.js tells of it.
import { hashOf } from "./hashing.js";
import { atHome, BLANK, look, sign } from "./preview.js";
import { fill } from "./say.js";
import { change, drop, FLAG, forget, keep, left, owner, taken, tellOthers } from "./store.js";
import { drawRow, drawTray, newRow, size, words } from "./tray.js";

const AT_ONCE = 2;
const LEAST = 256 << 10; // a piece begins small, so that little is lost when a weak line cuts it,
const MOST = 8 << 20; // and doubles up to what home takes at once,
const QUICK = 2000; // while each is through within two seconds
const RETRIES = [0, 1000, 3000, 5000, 10_000, 20_000];
const RETRY_AT_LAST = 30_000;
const OTHER = 460; // what home says when what arrived is not what is here
const LARGE = 50e6; // on mobile data, what is larger waits for Wi-Fi, or until somebody says "Send now"
const HASHING = 2000; // how often a whole file is asked for that home is still reading

const queue = []; // every file of this page, in the order chosen
let piece = LEAST; // what the line took last
let loading;
let count = 0;

// Puts files into the queue and returns what follows each of them (see Upload). With `draft` they belong to the composer
// (true) or to a reply (where it will stand) until `shared` or `remove` is called; without it (a folder dropped on the
// vault) they are simply kept in the vault.
export function add(files, { draft = false } = {}) {
  const added = [];
  for (const file of files) {
    const waiting = queue.find((each) => each.is(file));
    if (waiting?.state === "forgot") waiting.found(file);
    if (waiting) continue;
    const { name, type, size: bytes, lastModified: modified } = file;
    const record = { slot: newSlot(), member: owner(), at: Date.now() + count++ / 1e4, name, type, size: bytes, modified, file, draft };
    added.push(new Upload(record));
    added.at(-1).kept = keep(record);
  }
  queue.push(...added);
  flag();
  next();
  return added;
}

// What was chosen on this device, also before a reload, and not shared yet: for the composer, or `of` a reply.
export function drafted(of = true) {
  return queue.filter((each) => each.draft === of);
}

// One file. `state` is waiting, held (until there is Wi-Fi), preparing, uploading, reconnecting, paused, forgot (its
// bytes), asks (to be kept though it cannot be shown), done, differs (done, but not as it is here), needs (a person) or
// removed. Tells of each change by "change", of its picture by "seen"; `item` is the vault's id once it is done, `slot`
// its name before that.
class Upload extends EventTarget {
  constructor(record) {
    super();
    Object.assign(this, { sent: 0, url: null, item: null, kept: true }, record);
    this.row = newRow(this);
    this.seen = this.file ? look(this.file) : Promise.resolve({});
    this.thumb = this.seen.then(({ url }) => url);
    sign(this.row, this);
    this.show();
    if (this.item) this.seeAtHome();
    const first = this.item ? "done" : this.file ? "waiting" : "forgot";
    this.set(["paused", "asks"].includes(this.state) ? this.state : first);
  }

  async show() {
    const url = (await this.thumb) || BLANK;
    this.row.querySelector("img").src = url;
    this.row.toggleAttribute("data-blank", url === BLANK);
  }

  async seeAtHome() {
    const { url = BLANK } = await this.seen;
    const drawn = url === BLANK && (await atHome(this.item).catch(() => undefined));
    if (!drawn) return;
    this.thumb = Promise.resolve(drawn);
    await this.show();
    this.dispatchEvent(new Event("seen"));
  }

  is({ name, size: bytes, lastModified }) {
    const same = this.name === name && this.size === bytes && this.modified === lastModified;
    return same && !["done", "differs", "needs", "removed"].includes(this.state); // a file that is in may be put into another post
  }

  get settled() {
    return ["done", "differs", "needs", "asks", "forgot", "removed"].includes(this.state);
  }

  // It, or word of what it is here, may still have to go home, perhaps from the next page.
  get waits() {
    return this.draft || (this.state === "done" ? !this.over : !["differs", "needs", "removed"].includes(this.state));
  }

  get going() {
    return ["preparing", "uploading", "reconnecting"].includes(this.state);
  }

  get percent() {
    return this.size ? Math.floor((100 * this.sent) / this.size) : 0;
  }

  set(state, sentence) {
    const { percent } = this;
    const said = {
      uploading: fill(this.isAnew ? words.anew : words.uploading, { percent, size: size(this.size) }),
      forgot: fill(words.needsFile, { percent }),
      asks: words.wrongType,
    };
    this.words = sentence ?? said[state] ?? words[state] ?? "";
    this.state = state;
    drawRow(this);
    drawTray(queue);
    this.dispatchEvent(new Event("change"));
  }

  // The one thing that can be done about it now: the row's button.
  act() {
    if (this.state === "waiting" || this.refused) this.remove();
    else if (this.state === "uploading") this.pause();
    else if (this.state === "asks") this.keep();
    else if (this.state === "held") this.release(true);
    else if (this.state === "forgot") this.choose();
    else if (["done", "differs"].includes(this.state)) location.assign(`/vault/${this.item}`);
    else this.start();
  }

  async start() {
    clearTimeout(this.timer);
    this.set(this.tus ? "uploading" : "preparing");
    change(this.slot, { state: "waiting" });
    const turn = {}; // a second start, a pause or a removal meanwhile ends this one
    this.turn = turn;
    try {
      this.tus ??= await this.prepare();
      await this.tus.abort();
      if (this.turn !== turn) return;
      this.set("uploading");
      this.at = performance.now();
      this.tus.options.chunkSize = piece;
      this.tus.start();
    } catch {
      if (this.turn === turn) this.again(); // tus itself could not be loaded
    }
  }

  async prepare() {
    const { Upload: Tus } = await library();
    const { name: filename, type: filetype, modified, slot } = this;
    const { width, height, duration } = this.type.startsWith("video/") ? await this.seen : {};
    const measured = width ? { width: String(width), height: String(height), duration: String(duration) } : {};
    return new Tus(this.file, {
      endpoint: words.endpoint,
      uploadUrl: this.url, // begun before this page was loaded: it goes on where home stands
      uploadSize: this.size,
      chunkSize: piece,
      retryDelays: RETRIES,
      storeFingerprintForResuming: false,
      metadata: { filename, filetype, modified: String(modified), slot, post: this.draft || this.posted ? "1" : "", ...measured },
      onUploadUrlAvailable: () => this.begun(),
      onProgress: (sent) => this.progress(sent),
      onChunkComplete: (_size, accepted) => this.grow(accepted),
      onShouldRetry: (error, attempt) => this.cut(error, RETRIES[attempt]),
      onSuccess: ({ lastResponse }) => this.finish((name) => lastResponse.getHeader(name)),
      onError: (error) => this.fail(error),
    });
  }

  begun() {
    const { tus } = this;
    const isKnown = tus.url === this.url;
    if (!isKnown || !this.compared) {
      this.url = tus.url;
      this.compared = this.tellHome();
    }
    if (!isKnown) change(this.slot, { url: this.url });
  }

  // What the file is here, and what it looks like where home cannot open it itself.
  tellHome() {
    return Promise.all([this.compare(), this.givePoster()]);
  }

  async givePoster() {
    const { url } = this;
    const { poster: body } = await this.seen;
    for (let tries = 1; body && this.url === url && this.state !== "removed"; tries++) {
      const answer = await fetch(`${url}/poster`, { method: "PUT", body }).catch(() => null);
      if (answer && answer.status < 500) return;
      await new Promise((resolve) => setTimeout(resolve, RETRIES[tries] ?? RETRY_AT_LAST));
    }
  }

  // Home hears what the file is here, and compares when it has it all.
  async compare() {
    this.hash ??= hashOf(this.file);
    const { url } = this;
    const body = await this.hash;
    for (let tries = 1; body && this.url === url && this.state !== "removed"; tries++) {
      const answer = await fetch(`${url}/hash`, { method: "PUT", body }).catch(() => null);
      if (answer?.status === OTHER) return this.anew();
      if (answer?.ok) this.differs((name) => answer.headers.get(name));
      if (answer && answer.status < 500) return;
      await new Promise((resolve) => setTimeout(resolve, RETRIES[tries] ?? RETRY_AT_LAST));
    }
  }

  // What came is not what is here. Home stands at the beginning again; what it has is replaced when all has come.
  anew() {
    this.isAnew = true;
    this.sent = 0;
    this.tus = undefined;
    change(this.slot, { item: null, sent: 0 });
    this.start();
  }

  // However often it was sent, home has something else: whoever looks here is told.
  differs(told) {
    if (!this.item || told("HC-Item-State") !== "different") return false;
    this.set("differs");
    this.close();
    return true;
  }

  progress(sent) {
    this.sent = sent;
    this.set("uploading");
  }

  grow(accepted) {
    const now = performance.now();
    if (now - this.at < QUICK) piece = Math.min(MOST, Math.max(piece, this.tus.options.chunkSize * 2));
    this.tus.options.chunkSize = piece;
    this.at = now;
    change(this.slot, { sent: accepted });
  }

  cut(error, wait) {
    const status = error.originalResponse?.getStatus() ?? 0;
    if (status >= 400 && status < 500 && ![409, 423, 429].includes(status)) return false;
    if (status === 507) return false;
    piece = this.tus.options.chunkSize = Math.max(LEAST, this.tus.options.chunkSize / 2); // a cut piece is lost whole
    this.at = performance.now() + wait;
    this.set("reconnecting", fill(words.reconnecting, { n: Math.ceil(wait / 1000) }));
    return true;
  }

  async fail(error) {
    const answer = error.originalResponse;
    const status = answer?.getStatus() ?? 0;
    if (status === 401) location.reload();
    if (status === OTHER) return this.anew();
    if (!status && !(await readable(this.file))) return this.lose();
    if (status < 400 || (status >= 500 && status !== 507)) return this.again();
    this.refused = status !== 507;
    this.set("needs", titleOf(answer) ?? { 413: words.tooBig, 507: words.full }[status] ?? words.failed);
    next();
  }

  // Every try is used up: from now on now and then, while somebody looks.
  again() {
    this.set("reconnecting", fill(words.reconnecting, { n: RETRY_AT_LAST / 1000 }));
    this.timer = setTimeout(() => (document.hidden ? this.again() : this.start()), RETRY_AT_LAST);
  }

  finish(told) {
    this.sent = this.size;
    this.item = told("Upload-Item");
    if (this.differs(told)) return next();
    if (this.item) this.done();
    else if (told("HC-Item-State")) this.ask();
    else this.await(); // home has it all and is still reading it
    next();
  }

  done() {
    this.set("done");
    this.seeAtHome();
    change(this.slot, { item: this.item, sent: this.size });
    this.leave();
  }

  // The bytes are kept here until home has heard what they are: it may ask for them once more.
  async leave() {
    await this.compared;
    if (this.state === "done") this.close();
  }

  close() {
    if (this.draft) drop(this.slot);
    else this.settle();
  }

  ask() {
    this.set("asks");
    change(this.slot, { state: "asks", sent: this.size });
  }

  await() {
    this.set("uploading");
    this.timer = setTimeout(async () => {
      const answer = await fetch(this.url, { method: "HEAD", headers: { "Tus-Resumable": "1.0.0" } }).catch(() => null);
      if (answer?.ok && Number(answer.headers.get("Upload-Offset")) < this.size) this.anew(); // see `compare`
      else if (answer?.ok) this.finish((name) => answer.headers.get(name));
      else if (answer?.status === 404) this.set("needs", words.failed);
      else this.await();
    }, HASHING);
  }

  // What cannot be shown is kept by choice; the question says that others then get it as it is.
  async keep() {
    this.set("uploading"); // the question is answered: one may share already
    const answer = await fetch(`${this.url}/keep`, { method: "POST", body: new URLSearchParams({ open: "1" }) }).catch(() => null);
    if (answer?.status === OTHER) return this.anew();
    if (!answer?.ok) return this.set("asks");
    this.finish((name) => answer.headers.get(name));
  }

  release(now = this.now) {
    this.now = now;
    this.set("waiting");
    next();
  }

  pause() {
    this.turn = undefined;
    this.tus?.abort();
    this.set("paused");
    change(this.slot, { state: "paused" });
    next();
  }

  lose() {
    this.file = null;
    this.tus = undefined;
    this.set("forgot");
    drop(this.slot);
    next();
  }

  choose() {
    const field = Object.assign(document.createElement("input"), { type: "file" });
    field.addEventListener("change", () => this.found(field.files[0]));
    field.click();
  }

  found(file) {
    if (!file || file.size !== this.size) return this.set("forgot"); // another file: the question stays
    this.file = file;
    this.hash = this.compared = undefined;
    this.kept = keep({ ...this.record(), file });
    this.set("waiting");
    next();
  }

  record() {
    const { slot, member, at, name, type, modified, draft, url, sent, item } = this;
    return { slot, member, at, name, type, size: this.size, modified, draft, url, sent, item };
  }

  // It goes over to another form that is not sent yet (see `drafted`).
  belong(draft) {
    this.draft = draft;
    change(this.slot, { draft });
  }

  // The composer has sent it off: its post knows it by its slot.
  shared() {
    this.draft = false;
    this.posted = true;
    if (this.state === "removed") return this.callOff();
    change(this.slot, { draft: false, posted: true });
    if (this.state === "done") this.leave();
    if (this.state === "differs") this.settle();
  }

  settle() {
    this.over = true;
    forget(this.slot).then(flag);
  }

  remove() {
    clearTimeout(this.timer);
    this.turn = undefined;
    const begun = this.url && !this.item;
    this.set("removed");
    this.row.remove();
    queue.splice(queue.indexOf(this), 1);
    this.settle();
    if (String(this.draft).startsWith("later-")) import("./later.js").then(({ leaveOut }) => leaveOut(this));
    if (begun) this.drop();
    if (this.posted && !this.item) this.callOff();
    drawTray(queue);
    next();
  }

  // Its post waits for it in vain; so says also one that was taken out while the post was being sent.
  callOff() {
    fetch(`/feed/coming/${this.slot}/delete`, { method: "POST" }).catch(() => {});
  }

  drop() {
    this.tus?.abort();
    const headers = { "Tus-Resumable": "1.0.0" };
    fetch(this.url, { method: "DELETE", headers }).catch(() => {}); // home forgets it by itself after a day
  }
}

const isMobile = () => navigator.connection?.type === "cellular"; // where a browser tells
navigator.connection?.addEventListener?.("change", () => {
  for (const each of queue) if (each.state === "held") each.release();
});

function next() {
  for (const each of queue) if (each.state === "waiting" && each.size > LARGE && !each.now && isMobile()) each.set("held");
  const room = AT_ONCE - queue.filter((each) => each.going).length;
  const waiting = queue.filter((each) => each.state === "waiting");
  for (const each of waiting.slice(0, Math.max(0, room))) each.start();
  watch(queue.some((each) => each.going));
}

// Says to the next page that something waits, here or in another page of this browser.
async function flag() {
  const waits = () => Boolean(owner()) && queue.some((each) => each.waits);
  if (waits()) return localStorage.setItem(FLAG, "1");
  const others = await taken();
  if (!others.size && !waits()) localStorage.removeItem(FLAG);
}

// Says whether the queue would outlive this page.
export async function isKept() {
  return (await Promise.all(queue.map((each) => each.kept))).every(Boolean);
}

// Only while bytes flow is leaving worth a question, and the screen kept awake (where a browser lets us: on https).
let lock;
function watch(active) {
  if (active === Boolean(lock)) return;
  if (active) {
    addEventListener("beforeunload", ask);
    lock = navigator.wakeLock?.request("screen").catch(() => {}) ?? Promise.resolve();
  } else {
    removeEventListener("beforeunload", ask);
    lock.then((held) => held?.release());
    lock = undefined;
  }
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden || !lock || !navigator.wakeLock) return;
  lock = navigator.wakeLock.request("screen").catch(() => {}); // the browser let it go with the page
});

// From one page of ours to the next the queue goes along, so nothing is asked there.
let inside = 0;
export function staysInside() {
  inside = performance.now();
}
addEventListener("click", (event) => event.target.closest?.(`a[href^="/"]`) && staysInside());
addEventListener("submit", staysInside);

function ask(event) {
  const goesAlong = queue.every((each) => each.kept) && owner() && performance.now() - inside < 1000;
  if (!goesAlong) event.preventDefault();
}

function library() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script"); // an UMD file: it leaves its name on window
    script.src = new URL("../vendor/tus.min.js", import.meta.url).href;
    script.onload = () => resolve(window.tus);
    script.onerror = () => {
      loading = undefined;
      reject(new Error("tus could not be loaded"));
    };
    document.head.append(script);
  });
  return loading;
}

async function readable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false; // moved, changed or thrown away meanwhile
  }
}

function titleOf(answer) {
  try {
    return JSON.parse(answer.getBody()).title;
  } catch {
    return undefined;
  }
}

function newSlot() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Home is back: no need to wait for the next try.
document.getElementById("live").addEventListener("hello", () => {
  for (const each of queue) if (each.state === "reconnecting") each.start();
});

// What an earlier page left behind, or another one that is closed by now, goes on here.
export async function takeOver() {
  const found = (await left(mine)).map((record) => new Upload(record));
  queue.unshift(...found);
  for (const each of found.filter(({ item, file }) => item && file)) {
    each.compared = each.tellHome(); // it was in, but not compared
    each.leave();
  }
  for (const each of found.filter(({ item, file, draft }) => item && !file && !draft)) each.settle();
  flag();
  drawTray(queue);
  next();
}

const mine = () => queue.filter((each) => !each.over).map(({ slot }) => slot);
tellOthers(mine);
export const ready = localStorage.getItem(FLAG) ? takeOver() : Promise.resolve();
