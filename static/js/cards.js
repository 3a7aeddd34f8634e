// What happens to the cards of posts, whoever asked for it.
import { toast } from "./toast.js";

/* global htmx */
export const has = (id) => document.getElementById(`post-${id}`) !== null;

// Puts those cards of a page (its HTML) on top that are not here yet. Returns how many there were.
export function bring(html) {
  const posts = document.getElementById("posts");
  const page = new DOMParser().parseFromString(html, "text/html");
  const found = [];
  for (const card of page.querySelectorAll("article.post:not(.draft)")) {
    if (document.getElementById(card.id)) break; // newest first: from here on all is known
    found.push(document.adoptNode(card));
  }
  if (!posts || !found.length) return 0;
  posts.querySelector(":scope > .empty")?.remove();
  posts.prepend(...found);
  for (const card of found) htmx.process(card);
  return found.length;
}

// One's own post that waits for its first photo stands above the others. Says whether it was one.
export function bringDraft(html) {
  const card = new DOMParser().parseFromString(html, "text/html").querySelector("article.draft");
  const place = document.getElementById("drafts");
  if (!card || !place) return false;
  place.prepend(document.adoptNode(card));
  htmx.process(card);
  return true;
}

// Asks for what came after the first card here. Returns how many there were.
export async function bringNewer() {
  const first = document.querySelector("#posts > article.post")?.id.slice(5) ?? "";
  const answer = await fetch(`/?after=${first}`, { headers: { "HX-Request": "true", Accept: "text/html" } });
  return answer.ok ? bring(await answer.text()) : 0;
}

// Draws the whole list anew, keeping what somebody is typing (hx-morph-skip): the page was away for too long.
export async function refresh() {
  const posts = document.getElementById("posts");
  if (!posts) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (answer.ok && answer.headers.get("HC-Home")) {
    const swap = { target: posts, sourceElement: posts, select: "#posts", swap: "outerMorph", text: await answer.text() };
    await htmx.swap(swap);
  }
}

function removed(card) {
  const words = document.getElementById("live")?.dataset.removed;
  const focus = card.contains(document.activeElement);
  card.dataset.removed = "";
  const line = document.createElement("p");
  line.className = "quiet";
  line.textContent = words;
  card.replaceChildren(line);
  if (focus) document.getElementById("main").focus({ preventScroll: true });
  setTimeout(() => "removed" in card.dataset && card.remove(), 5000); // unless it was put back meanwhile
}

document.addEventListener("htmx:response:error", ({ detail: { ctx } }) => {
  const { status } = ctx.response;
  if (status === 422) return; // the same form with what was wrong beside it: that is drawn
  ctx.swap = "none";
  const asker = ctx.sourceElement;
  if (status === 401) location.reload();
  else if (asker.matches("article.post")) status < 500 && removed(asker);
  else if (asker.matches("form")) toast(document.getElementById("tray").dataset.failed);
});

document.addEventListener("htmx:error", ({ detail: { ctx } }) => {
  if (ctx?.sourceElement?.matches("form")) toast(document.getElementById("tray").dataset.failed);
});

// What is typed behind a reply on its way would go with the old box.
for (const when of ["before", "finally"])
  document.addEventListener(`htmx:${when}:request`, ({ detail: { ctx } }) => {
    const words = ctx.sourceElement.elements?.text;
    if (words) words.readOnly = when === "before";
  });

// A reply box that opens takes the words.
document.addEventListener("toggle", ({ target }) => target.matches("details.reply[open]") && target.querySelector("textarea").focus(), true);

// A reply box is never morphed, so that half a sentence survives; once sent, it is emptied here.
document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  const box = ctx.sourceElement.closest(".replybox");
  if (!box || ctx.response.status >= 400) return;
  box.reset();
  box.closest("details")?.removeAttribute("open");
});
