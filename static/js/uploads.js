// Files on their way into the vault, whatever page is open, and the tray that tells of them. The bytes are carried by
// tus-js-client (loaded with the first file); here is the order of the queue, the size of the pieces, and the words,
// which all stand in templates/vault/_uploads.html.
import { fill } from "./say.js";

const AT_ONCE = 2;
const LEAST = 256 << 10; // a piece begins small, so that little is lost when a weak line cuts it,
const MOST = 8 << 20; // and doubles up to what home takes at once,
const QUICK = 2000; // while each is through within two seconds
const RETRIES = [0, 1000, 3000, 5000, 10_000, 20_000];
const RETRY_AT_LAST = 30_000;
const THUMB = 192; // pixels; shown at 96

export const BLANK = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"; // until there is a picture

const tray = document.getElementById("tray");
const words = tray.dataset;
const language = document.documentElement.lang || "en";
const queue = []; // every file of this page, in the order chosen
let loading;

// The queue keeps two going; the rest waits its turn.
export function add(files) {
  const added = files.filter((file) => !queue.some((each) => each.is(file))).map((file) => new Upload(file));
  queue.push(...added);
  next();
  return added;
}

// One file: `state` is waiting, uploading, reconnecting, paused, done, needs (a person) or removed. Tells of each change
// by "change"; `item` is the vault's id once it is done.
class Upload extends EventTarget {
  constructor(file) {
    super();
    this.file = file;
    this.state = "waiting";
    this.sent = 0;
    this.words = words.waiting;
    this.row = copyOf("row");
    this.row.querySelector(".upload-name").textContent = file.name;
    this.row.querySelector("[data-act]").addEventListener("click", () => this.act());
    const picture = this.row.querySelector("img");
    picture.src = BLANK;
    this.thumb = preview(file);
    this.thumb.then((url) => {
      picture.src = url;
    });
    this.set("waiting");
  }

  is({ name, size, lastModified }) {
    const { file } = this;
    const same = file.name === name && file.size === size && file.lastModified === lastModified;
    return same && !this.settled; // a file that is in may be put into another post
  }

  get settled() {
    return ["done", "needs", "removed"].includes(this.state);
  }

  get going() {
    return ["uploading", "reconnecting"].includes(this.state);
  }

  get percent() {
    return this.file.size ? Math.floor((100 * this.sent) / this.file.size) : 0;
  }

  set(state, sentence) {
    const { percent } = this;
    const said = { uploading: fill(words.uploading, { percent, size: size(this.file.size) }) };
    this.words = sentence ?? said[state] ?? words[state] ?? "";
    this.state = state;
    drawRow(this);
    drawTray();
    this.dispatchEvent(new Event("change"));
  }

  // The one thing that can be done about it now: the row's button.
  act() {
    if (this.state === "waiting" || this.refused) this.remove();
    else if (this.state === "uploading") this.pause();
    else if (this.state === "done") location.assign(`/vault/${this.item}`);
    else this.start();
  }

  async start() {
    this.set("uploading");
    clearTimeout(this.timer);
    try {
      this.tus ??= await this.prepare();
      await this.tus.abort();
      if (this.state !== "uploading") return; // removed meanwhile
      this.at = performance.now();
      this.tus.start();
    } catch {
      this.again(); // tus itself could not be loaded
    }
  }

  async prepare() {
    const { Upload: Tus } = await library();
    const { file } = this;
    const { name: filename, type: filetype, lastModified: modified } = file;
    const tus = new Tus(file, {
      endpoint: words.endpoint,
      chunkSize: LEAST,
      retryDelays: RETRIES,
      removeFingerprintOnSuccess: true,
      metadata: { filename, filetype, modified: String(modified) },
      onProgress: (sent) => this.progress(sent),
      onChunkComplete: () => this.grow(),
      onShouldRetry: (error, attempt) => this.cut(error, RETRIES[attempt]),
      onSuccess: ({ lastResponse }) => this.finish(lastResponse.getHeader("Upload-Item")),
      onError: (error) => this.fail(error),
    });
    // Begun before this page was loaded? Then it goes on where home stands.
    const [before] = await tus.findPreviousUploads();
    if (before) tus.resumeFromPreviousUpload(before);
    return tus;
  }

  progress(sent) {
    this.sent = sent;
    this.set("uploading");
  }

  grow() {
    const now = performance.now();
    const { options } = this.tus;
    if (now - this.at < QUICK) options.chunkSize = Math.min(MOST, options.chunkSize * 2);
    this.at = now;
  }

  cut(error, wait) {
    const status = error.originalResponse?.getStatus() ?? 0;
    if (status >= 400 && status < 500 && ![409, 423, 429].includes(status)) return false;
    if (status === 507) return false;
    const { options } = this.tus;
    options.chunkSize = Math.max(LEAST, options.chunkSize / 2); // a cut piece is lost whole
    this.at = performance.now() + wait;
    this.set("reconnecting", fill(words.reconnecting, { n: Math.ceil(wait / 1000) }));
    return true;
  }

  fail(error) {
    const answer = error.originalResponse;
    const status = answer?.getStatus() ?? 0;
    if (status === 401) location.reload();
    if (status < 400 || (status >= 500 && status !== 507)) return this.again();
    const known = { 413: words.tooBig, 507: words.full };
    this.refused = status !== 507;
    this.set("needs", known[status] ?? titleOf(answer) ?? words.failed);
    next();
  }

  // Every try is used up: from now on now and then, while somebody looks.
  again() {
    this.set("reconnecting", fill(words.reconnecting, { n: RETRY_AT_LAST / 1000 }));
    this.timer = setTimeout(() => (document.hidden ? this.again() : this.start()), RETRY_AT_LAST);
  }

  finish(item) {
    this.item = item;
    this.sent = this.file.size;
    this.set(item ? "done" : "needs", item ? undefined : words.failed);
    next();
  }

  pause() {
    this.tus?.abort();
    this.set("paused");
    next();
  }

  remove() {
    clearTimeout(this.timer);
    const drop = this.tus && !this.item;
    this.set("removed");
    this.row.remove();
    queue.splice(queue.indexOf(this), 1);
    if (drop) this.tus.abort(true).catch(() => {}); // home forgets it by itself after a day
    drawTray();
    next();
  }
}

function next() {
  const room = AT_ONCE - queue.filter((each) => each.going).length;
  const waiting = queue.filter((each) => each.state === "waiting");
  for (const each of waiting.slice(0, Math.max(0, room))) each.start();
  watch(queue.some((each) => each.going));
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

function ask(event) {
  event.preventDefault();
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

// Small pictures are made one after another: a dozen photos of 12 megapixels at once would fill a phone's memory.
let painting = Promise.resolve();
function preview(file) {
  if (!file.type.startsWith("image/")) return Promise.resolve(BLANK);
  painting = painting.then(async () => {
    try {
      const picture = await createImageBitmap(file, { resizeHeight: THUMB, resizeQuality: "medium" });
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = THUMB;
      canvas.getContext("2d").drawImage(picture, (THUMB - picture.width) / 2, 0);
      picture.close();
      const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.8));
      return URL.createObjectURL(blob);
    } catch {
      return BLANK; // a kind that this browser cannot draw (HEIC): home will
    }
  });
  return painting;
}

export function copyOf(name) {
  return document.querySelector(`[data-template="${name}"]`).content.firstElementChild.cloneNode(true);
}

function size(bytes) {
  const [unit, step] = bytes < 1e6 ? ["kilobyte", 1e3] : ["megabyte", 1e6];
  return new Intl.NumberFormat(language, { style: "unit", unit, maximumFractionDigits: 1 }).format(bytes / step);
}

function titleOf(answer) {
  try {
    return JSON.parse(answer.getBody()).title;
  } catch {
    return undefined;
  }
}

const GROUPS = { waiting: "waiting", paused: "needs", needs: "needs", done: "done" };
const ACTS = { waiting: "actRemove", uploading: "actPause", reconnecting: "actRetry", paused: "actContinue", done: "actShow" };

function drawRow(upload) {
  const { row, state } = upload;
  const group = GROUPS[state] ?? "uploading";
  row.dataset.group = group;
  row.querySelector(".upload-state").textContent = upload.words;
  row.querySelector("progress").value = upload.percent;
  row.querySelector("progress").hidden = state === "done";
  const act = upload.refused ? "actRemove" : (ACTS[state] ?? "actRetry");
  row.querySelector("[data-act]").textContent = words[act];
  const list = tray.querySelector(`[data-group="${group}"] > .tray-rows`);
  if (row.parentNode !== list) list.append(row);
}

let since; // when the present run of uploads began, for "about 2 min"
let before = 0;
let closing;
function drawTray() {
  const open = queue.filter((each) => !each.settled);
  const sent = queue.reduce((sum, each) => sum + each.sent, 0);
  const all = queue.reduce((sum, each) => sum + each.file.size, 0);
  tray.querySelector(".tray-bar").value = all ? (100 * sent) / all : 0;
  const line = tray.querySelector("[data-summary-words]");
  clearTimeout(closing);
  if (open.length) {
    since ??= performance.now();
    line.textContent = summary(queue.length - open.length, all - sent, sent);
    tray.hidden = false;
    return;
  }
  since = undefined;
  before = sent;
  const trouble = queue.find((each) => each.state === "needs");
  line.textContent = trouble?.words ?? words.finished;
  if (!trouble) closing = setTimeout(() => (tray.hidden = true), 4000);
}

function summary(done, left, sent) {
  const seconds = (performance.now() - since) / 1000;
  const rate = (sent - before) / seconds;
  const counts = { done, total: queue.length };
  if (seconds < 3 || rate < 1) return fill(words.summaryShort, counts);
  const rest = left / rate;
  const time = rest < 60 ? fill(words.seconds, { n: Math.ceil(rest) }) : fill(words.minutes, { n: Math.ceil(rest / 60) });
  return fill(words.summary, { ...counts, time });
}

const sheet = tray.querySelector("[data-sheet]");
tray.querySelector("[data-open]").addEventListener("click", () => sheet.showModal());
sheet.addEventListener("click", (event) => event.target === sheet && sheet.close()); // the backdrop
tray.querySelector("[data-iphone-note]").hidden = !/iPhone|iPad/.test(navigator.userAgent);
// Home is back: no need to wait for the next try.
document.getElementById("live").addEventListener("hello", () => {
  for (const each of queue) if (each.state === "reconnecting") each.start();
});
