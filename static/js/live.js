// The page's line to home: one event stream while the page is visible, or a question now and then when home has no
// place for another stream. Each hint becomes a DOM event of that name on #live; the cards listen (hx-trigger
// "post-… from:#live") and fetch themselves.
// By hand: see the README. EventSource cannot hear events whose names one does not know.
import { refresh } from "./cards.js";

const BACK_OFF = [1, 2, 5, 10, 20]; // seconds between tries
const SILENCE = 40_000; // home speaks at least every 15 s
const POLL = 20_000;
const POLL_IDLE = 60_000;
const IDLE = 5 * 60_000;
const PATIENCE = 5_000; // a short cut is nobody's business

export default function live(element) {
  let cursor = element.dataset.since;
  let line; // AbortController of the question that is open
  let timer; // of the next try or poll
  let failures = 0;
  let polls = 0;
  let greeted = false;
  let touched = Date.now();
  const missed = new Set(); // hints whose fragment could not be fetched
  const strip = connectionStrip();

  const drawn = new Set(); // pictures that were finished, perhaps before their card stood here

  const early = new Set(); // posts something happened to before their card stood here

  const tell = (name, id = "") => {
    if (name.startsWith("item-")) drawn.add(name);
    if (name.startsWith("post-") && !document.getElementById(name)) early.add(name);
    element.dispatchEvent(new CustomEvent(name, { detail: { id } }));
  };
  // A card that was fetched while its picture was still being drawn has missed the hint that it is ready: told again.
  const tellTiles = () => {
    for (const tile of document.querySelectorAll(".tile[data-state=pending]")) {
      const name = `item-${tile.id.slice("tile-".length)}`;
      if (drawn.delete(name)) tell(name);
    }
  };
  // So has one that was on its way here, as one's own is in the moment in which it is shared.
  const tellCards = () => {
    for (const name of early) if (document.getElementById(name)) early.delete(name) && tell(name);
  };
  const tellNew = () => {
    tellTiles();
    tellCards();
  };
  document.addEventListener("htmx:after:process", () => setTimeout(tellNew));
  const later = (what, wait) => {
    clearTimeout(timer);
    timer = setTimeout(what, wait);
  };

  // Asks home; `heard` is called for each sign of life and keeps the watchdog quiet.
  async function ask(path, use) {
    line?.abort();
    const mine = new AbortController();
    line = mine;
    let watchdog;
    const heard = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => mine.abort(), SILENCE);
    };
    heard();
    try {
      const answer = await fetch(path + encodeURIComponent(cursor), { cache: "no-store", signal: mine.signal });
      if (!answer.headers.get("HC-Home")) throw answer; // a café's
      if (answer.status === 401) location.reload(); // signed out: the door says so
      else await use(answer, heard);
    } catch {
      // a cut, a stop or silence: all the same here, told below
    }
    clearTimeout(watchdog);
    return mine === line; // false: somebody else has taken over, or the page is hidden
  }

  async function stream() {
    let full = false;
    const still = await ask("/live?since=", async (answer, heard) => {
      full = answer.status === 503;
      if (answer.ok) await listen(answer.body, heard);
    });
    if (!still) return;
    if (full) {
      reached();
      return later(poll, 0);
    }
    strip.lost();
    later(stream, BACK_OFF[Math.min(failures++, BACK_OFF.length - 1)] * 1000 * (0.8 + 0.4 * Math.random()));
  }

  async function listen(body, heard) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    reached();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) hear(block);
    }
  }

  function hear(block) {
    const said = { event: "", data: "" };
    for (const row of block.split("\n")) {
      const colon = row.indexOf(": ");
      if (colon > 0) said[row.slice(0, colon)] = row.slice(colon + 2);
    }
    if (said.event === "resync") refresh();
    if (said.event) tell(said.event, said.data);
    if (said.id) cursor = said.id;
  }

  async function poll() {
    if (polls++ % 4 === 3) return stream(); // perhaps a place is free by now
    let worked = false;
    const still = await ask("/live/since?id=", async (answer) => {
      if (!answer.ok) return;
      const news = await answer.json();
      worked = true;
      if (news.resync) refresh();
      for (const [name, id] of news.hints) tell(name, id);
      cursor = news.id || cursor;
    });
    if (!still) return;
    worked ? reached() : strip.lost();
    later(poll, Date.now() - touched > IDLE ? POLL_IDLE : POLL);
  }

  function reached() {
    failures = 0;
    strip.back();
    tell("reached");
    if (greeted) tell("presence"); // who came and went meanwhile stands in no cursor
    greeted = true;
    for (const name of missed) tell(name);
    missed.clear();
  }

  function look() {
    clearTimeout(timer);
    line?.abort();
    line = undefined;
    if (document.hidden) strip.back(false);
    else stream();
  }

  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", () => line?.abort());
  addEventListener("pageshow", (event) => event.persisted && look());
  addEventListener("online", look);
  for (const sign of ["pointerdown", "keydown", "scroll"]) {
    addEventListener(sign, () => (touched = Date.now()), { passive: true });
  }
  // A hint came, but the way was cut before its card was fetched: asked again as soon as home is back.
  document.addEventListener("htmx:error", ({ detail: { ctx } }) => {
    const hint = ctx?.sourceElement?.getAttribute("hx-trigger")?.match(/^(\S+) from:#live/);
    if (hint) missed.add(hint[1]);
  });
  look();
}

// "No connection", but only when it lasts; then "Back again" for a moment.
function connectionStrip() {
  const strip = document.getElementById("strip-connection");
  const words = strip.querySelector("span");
  const lost = words.textContent;
  let timer;
  return {
    lost() {
      if (timer || !strip.hidden) return;
      timer = setTimeout(() => {
        words.textContent = lost;
        strip.hidden = false;
      }, PATIENCE);
    },
    back(greet = true) {
      clearTimeout(timer);
      timer = undefined;
      if (strip.hidden) return;
      if (greet) words.textContent = strip.dataset.back;
      setTimeout(() => (strip.hidden = true), greet ? 2000 : 0);
    },
  };
}
