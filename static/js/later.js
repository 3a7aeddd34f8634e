// What was shared or sent while home could not be reached: kept on this device and sent by itself as soon as home
// answers. The form's once-key makes one post of any number of tries. On a device for all nothing is kept.
// Words are few, so they stand in localStorage beside the draft; their photos are in the queue (./store.js).
import { bring, bringDraft } from "./cards.js";
import { BLANK } from "./preview.js";
import { say } from "./say.js";
import { owner, taken } from "./store.js";
import "./stay.js";
import { toast } from "./toast.js";
import { copyOf, words } from "./tray.js";

const KEY = "later"; // in localStorage: [{once, action, member, fields}]
const AGAIN = 15_000; // where the live link says nothing: it may never have been cut

// Whether it is home that answers: not its tunnel, nor a café's sign-in page under home's number.
export const isHome = (answer) => Boolean(answer?.headers.get("HC-Home")) && !answer.redirected;
const mark = ({ once }) => `later-${once}`; // whose the photos are meanwhile, in the queue
const uploads = () => import("./uploads.js"); // there already wherever a photo was chosen

function held() {
  return JSON.parse(localStorage.getItem(KEY) ?? "[]").filter((each) => each.member === owner());
}

function store(all) {
  if (all.length) localStorage.setItem(KEY, JSON.stringify(all));
  else localStorage.removeItem(KEY);
}

const without = ({ once }) => store(held().filter((each) => each.once !== once));
const changed = (one) => store(held().map((each) => (each.once === one.once ? one : each)));

// Keeps what a form would have sent, and the files that `take` takes off its shelf: they go on by themselves.
export function hold(form, take = () => []) {
  const fields = [...new FormData(form)].filter(([, value]) => typeof value === "string");
  const one = { once: form.elements.once.value, action: form.getAttribute("action"), member: owner(), fields };
  store([...held(), one]);
  for (const upload of take()) upload.refused ? upload.remove() : upload.belong(mark(one));
  form.elements.once.value = crypto.getRandomValues(new Uint32Array(4)).join(""); // the next is another
  draw();
  say(words.later);
  soon();
}

let timer;
function soon() {
  clearTimeout(timer);
  timer = setTimeout(send, AGAIN);
}

let sending;
let flying; // the key of the one that is on its way: it is neither changed nor taken out meanwhile
async function send() {
  if (sending) return;
  sending = true;
  let more = false;
  for (const { once } of held()) {
    const one = held().find((each) => each.once === once); // perhaps it was changed, taken out or sent meanwhile
    if (!one || one.refused) continue;
    fly(once);
    const body = await form(one).catch(() => null);
    const went = body && (await sent(one, body).catch(() => false));
    fly();
    more ||= !went;
    if (body && !went) break;
  }
  sending = false;
  if (more) soon();
}

function fly(once) {
  flying = once;
  for (const card of document.querySelectorAll("article[data-unsent]")) still(card);
}

function still(card) {
  for (const button of card.querySelectorAll("button")) button.disabled = card.dataset.unsent === flying;
}

// False: home was not reached, so there is no use in trying the next.
async function sent(one, body) {
  const headers = { "HX-Request": "true", Accept: "text/html" };
  const photos = await photosOf(one); // also those that are taken out while it is being sent
  const answer = await fetch(one.action, { method: "POST", headers, body }).catch(() => null);
  if (!isHome(answer) || answer.status === 401) return false;
  const drawn = await answer.text();
  if (!answer.ok) return refused(one, told(drawn)?.textContent.trim());
  without(one);
  for (const upload of photos) upload.shared();
  draw();
  if (one.action === "/feed" && !bringDraft(drawn)) bring(drawn);
  return true;
}

const coming = ({ slot }) => `coming-${slot}`;
const comingOf = (one) => one.fields.filter(([name, value]) => name === "items" && value.startsWith("coming-"));

// What has arrived meanwhile goes by its name in the vault. It never goes without its photos: where this page does not
// have them, another does (null: that one will send it), or they are lost, and a person says what to do.
async function form(one) {
  let photos = await photosOf(one);
  const missing = () => comingOf(one).filter(([, value]) => !photos.some((each) => coming(each) === value));
  if (missing().length) {
    await (await uploads()).takeOver();
    photos = await photosOf(one);
    const others = missing().length ? await taken() : new Set();
    const lost = missing().some(([, value]) => !others.has(value.slice("coming-".length)));
    if (lost) refused(one, words.lost);
    else draw();
    if (missing().length) return null;
  }
  const arrived = new Map(photos.filter(({ item }) => item).map((each) => [coming(each), each.item]));
  return new URLSearchParams(one.fields.map(([name, value]) => [name, (name === "items" && arrived.get(value)) || value]));
}

// One of its photos was taken out where all files are told.
export function leaveOut(upload) {
  const one = held().find((each) => mark(each) === upload.draft);
  if (!one) return;
  const gone = [upload.item, coming(upload)];
  one.fields = one.fields.filter(([name, value]) => name !== "items" || !gone.includes(value));
  if (one.fields.some(([name, value]) => name === "items" || (name === "text" && value.trim()))) changed(one);
  else without(one);
  draw();
}

async function photosOf(one) {
  if (!one.fields.some(([name]) => name === "items")) return [];
  const { drafted, ready } = await uploads();
  await ready;
  return drafted(mark(one));
}

// What home says where it does not do what was asked.
export function told(page) {
  const drawn = new DOMParser().parseFromString(page, "text/html");
  const places = [".problems, .field-error", "main .lead", "main .empty > h1"];
  return places.map((place) => drawn.querySelector(place)).find(Boolean);
}

function refused(one, sentence) {
  one.refused = sentence || words.failed;
  changed(one);
  draw();
  return true;
}

// On Home all of it stands above the posts; on the page of a post, its replies above the field.
let shown = [];
function draw() {
  shown = held();
  for (const card of document.querySelectorAll("article[data-unsent]")) card.remove();
  const home = document.getElementById("drafts");
  const field = document.querySelector("form.say");
  for (const one of held()) {
    if (home) home.prepend(card(one));
    else if (field?.getAttribute("action") === one.action) field.before(card(one));
  }
}

const formOf = (one) => document.querySelector(`form[action="${one.action}"]:has([name=once])`);

function card(one) {
  const made = copyOf("later");
  const { text = "" } = Object.fromEntries(one.fields);
  made.querySelector("[data-text]").textContent = text;
  made.dataset.unsent = one.once;
  photosOf(one).then((photos) => {
    for (const each of photos) picture(made.querySelector("[data-photos]"), each);
    const items = one.fields.filter(([name]) => name === "items");
    const isHere = ([, value]) => photos.some((each) => [each.item, coming(each)].includes(value));
    made.querySelector(".draft-acts").hidden = !one.refused && !items.every(isHere); // the page that has them changes it
  }, console.warn);
  if (one.refused) made.querySelector("[data-words]").textContent = one.refused;
  const edit = made.querySelector("[data-edit]");
  edit.hidden = !formOf(one);
  edit.addEventListener("click", () => change(one));
  made.querySelector("[data-remove]").addEventListener("click", async () => {
    without(one);
    draw();
    for (const upload of await photosOf(one)) upload.remove();
  });
  still(made);
  return made;
}

async function picture(list, upload) {
  const line = Object.assign(document.createElement("li"), { className: "shelf-item" });
  line.append(Object.assign(document.createElement("img"), { alt: upload.name, src: (await upload.thumb) || BLANK }));
  list.append(line);
}

// Back into its form, before whatever stands there by now. Under another key: had home got the first try after all, it
// would else take what was changed for a repetition.
async function change(one) {
  const place = formOf(one);
  without(one);
  draw();
  const photos = await photosOf(one);
  const { text } = place.elements;
  text.value = [Object.fromEntries(one.fields).text, text.value].filter(Boolean).join("\n\n");
  for (const box of place.elements) {
    if (!["checkbox", "radio"].includes(box.type)) continue; // a quote's stand beside what they quote
    box.checked = one.fields.some(([name, value]) => name === box.name && value === box.value);
  }
  for (const each of photos) each.belong(one.action === "/feed" || one.action);
  if (one.action === "/feed") (await import("./writing.js")).default(place.closest("[data-behavior~=composer]")).take([]);
  else if (photos.length) (await import("./answer.js")).take([], place);
  place.closest("details.reply")?.setAttribute("open", "");
  for (const name of ["input", "change"]) text.dispatchEvent(new Event(name, { bubbles: true }));
  text.focus();
}

// A reply goes by htmx; ./main.js hears when home did not get it.
export async function unsent(reply) {
  if (!owner()) return toast(words.failed);
  const chosen = localStorage.getItem("queue") || reply.querySelector(".shelf-item");
  const answers = chosen && (await import("./answer.js").catch(() => null)); // without it there is nothing to empty
  hold(reply, () => (answers ? answers.emptied(reply) : []));
  reply.elements.text.value = "";
  for (const box of reply.elements) if (box.name === "quote") box.checked = !box.value;
  reply.closest("details.reply")?.removeAttribute("open");
  toast(words.later);
}
document.addEventListener("htmx:response:error", ({ detail: { ctx } }) => {
  const { sourceElement: reply, response, text } = ctx;
  const isOurs = response.status >= 500 && reply.matches?.('form[action$="/messages"]');
  if (isOurs) toast(told(text)?.textContent.trim() || words.failed); // home's own words; what was written stays
});
// Another page of this browser has sent it, or somebody has changed it there.
addEventListener("storage", async ({ key }) => {
  if (key !== KEY && key !== null) return;
  const gone = shown.filter(({ once }) => !held().some((each) => each.once === once));
  draw();
  for (const one of gone) for (const upload of await photosOf(one)) upload.shared();
});
document.getElementById("live").addEventListener("reached", send);
draw();
send();
