// The tray: what is on its way, in words. The line above the bar, the sheet with a row for each file, and what a person
// can do about each. Every sentence stands in templates/vault/_uploads.html.
import { fill, say } from "./say.js";

const tray = document.getElementById("tray");
export const words = tray.dataset;
const language = document.documentElement.lang || "en";
const NOTE = "iphone-note"; // in localStorage: it was read

const GROUPS = {
  waiting: "waiting", held: "waiting", paused: "needs", asks: "needs", forgot: "needs", needs: "needs", differs: "needs", done: "done",
}; // prettier-ignore
const ACTS = {
  waiting: "actRemove", held: "actNow", preparing: "", uploading: "actPause", reconnecting: "actRetry", paused: "actContinue",
  asks: "actKeep", forgot: "actChoose", done: "actShow", differs: "actShow",
}; // prettier-ignore

export function copyOf(name) {
  return document.querySelector(`[data-template="${name}"]`).content.firstElementChild.cloneNode(true);
}

export function size(bytes) {
  const [unit, step] = bytes < 1e6 ? ["kilobyte", 1e3] : ["megabyte", 1e6];
  return new Intl.NumberFormat(language, { style: "unit", unit, maximumFractionDigits: 1 }).format(bytes / step);
}

export function newRow(upload) {
  const row = copyOf("row");
  row.querySelector(".upload-name").textContent = upload.name;
  row.querySelector("[data-act]").addEventListener("click", () => upload.act());
  row.querySelector("[data-drop]").addEventListener("click", () => upload.remove());
  return row;
}

export function drawRow(upload) {
  const { row, state } = upload;
  const group = GROUPS[state] ?? "uploading";
  row.dataset.group = group;
  row.querySelector(".upload-state").textContent = upload.words;
  const bar = row.querySelector("progress");
  bar.value = upload.percent;
  bar.hidden = ["done", "differs", "asks", "needs"].includes(state);
  const act = upload.refused ? "actRemove" : (ACTS[state] ?? "actRetry");
  const button = row.querySelector("[data-act]");
  button.hidden = !act;
  button.textContent = words[act] ?? "";
  row.querySelector("[data-drop]").hidden = !["asks", "forgot", "held", "paused"].includes(state);
  const list = tray.querySelector(`[data-group="${group}"] > .tray-rows`);
  if (row.parentNode === list) return;
  const focus = row.contains(document.activeElement);
  list.append(row);
  if (focus && !button.hidden) button.focus();
}

let since; // when the present run of uploads began, for "about 2 min"
let before = 0;
let closing;
let spoken = "";

export function drawTray(queue) {
  // What home has not got yet is not safe to delete, whatever a page says of all the rest (.vault-proven).
  const isComing = queue.some((each) => !["done", "removed"].includes(each.state));
  document.documentElement.toggleAttribute("data-coming", isComing);
  const open = queue.filter((each) => !each.settled);
  const sent = queue.reduce((sum, each) => sum + each.sent, 0);
  const all = queue.reduce((sum, each) => sum + each.size, 0);
  tray.querySelector(".tray-bar").value = all ? (100 * sent) / all : 0;
  const line = tray.querySelector("[data-summary-words]");
  clearTimeout(closing);
  if (open.length) {
    if (since === undefined) [since, before] = [performance.now(), sent];
    const counts = { done: queue.length - open.length, total: queue.length };
    line.textContent = open.every((each) => each.state === "held") ? words.held : summary(counts, all - sent, sent);
    tell(fill(words.summaryShort, { ...counts, done: 0 }), !spoken);
    tray.hidden = false;
    return;
  }
  since = undefined;
  const trouble = queue.find((each) => each.state !== "done" && each.state !== "removed");
  line.textContent = trouble?.words ?? words.finished;
  if (queue.length) tell(line.textContent);
  if (trouble) tray.hidden = false;
  else closing = setTimeout(() => (tray.hidden = true), 4000);
}

// Said once when it begins and once when it ends: nobody wants to hear every percent.
function tell(sentence, wanted = true) {
  if (!wanted || spoken === sentence) return;
  spoken = sentence;
  say(sentence);
}

function summary(counts, left, sent) {
  const seconds = (performance.now() - since) / 1000;
  const rate = (sent - before) / seconds;
  if (seconds < 3 || rate < 1) return fill(words.summaryShort, counts);
  const rest = left / rate;
  const time = rest < 60 ? fill(words.seconds, { n: Math.ceil(rest) }) : fill(words.minutes, { n: Math.ceil(rest / 60) });
  return fill(words.summary, { ...counts, time });
}

const sheet = tray.querySelector("[data-sheet]");
const note = tray.querySelector("[data-iphone-note]");
tray.querySelector("[data-open]").addEventListener("click", () => sheet.showModal());
sheet.addEventListener("click", (event) => event.target === sheet && sheet.close()); // the backdrop
note.hidden = !/iPhone|iPad/.test(navigator.userAgent) || localStorage.getItem(NOTE) !== null;
sheet.addEventListener("close", () => note.hidden || localStorage.setItem(NOTE, "read"));
