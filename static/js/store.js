// What of the queue is kept over a reload, in IndexedDB: each file with its place, its address at home and its bytes.
// On a device for all nothing is kept. A browser that cannot (a private window, a full disk) keeps what it can: the tray
// then asks for the file again, or forgets it with the page.
const NAME = "homecircle";
const QUEUE = "queue"; // what is known of each file,
const FILES = "files"; // and its bytes, written once: a browser copies them at every writing
const ANSWERS = 300; // milliseconds in which other pages of this browser say what they are sending

export const FLAG = "queue"; // in localStorage: something waits, so ./main.js loads the queue at once

export const owner = () => document.getElementById("live")?.dataset.me ?? "";

let opening;
function open() {
  opening ??= new Promise((resolve, reject) => {
    if (!owner()) return reject(new Error("a device for all"));
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => {
      for (const name of [QUEUE, FILES]) asked.result.createObjectStore(name, { keyPath: "slot" });
    };
    asked.onsuccess = () => {
      asked.result.onversionchange = () => asked.result.close(); // somebody signs out
      resolve(asked.result);
    };
    asked.onerror = () => reject(asked.error);
  });
  opening.catch(() => {});
  return opening;
}

// Runs `doing` with one store's transaction; resolves to what the last request that it returned has found.
async function within(name, mode, doing) {
  const store = (await open()).transaction(name, mode, { durability: "relaxed" }).objectStore(name);
  return new Promise((resolve, reject) => {
    const asked = doing(store);
    store.transaction.oncomplete = () => resolve(asked.result);
    store.transaction.onabort = () => reject(store.transaction.error);
  });
}

// Says whether the file is safe, bytes and all. Without room for the bytes, the rest is kept.
export async function keep({ file, ...record }) {
  try {
    await within(QUEUE, "readwrite", (store) => store.put(record));
    await within(FILES, "readwrite", (store) => store.put({ slot: record.slot, file }));
    return true;
  } catch {
    return false;
  }
}

export function change(slot, changes) {
  return within(QUEUE, "readwrite", (store) => {
    const asked = store.get(slot);
    asked.onsuccess = () => asked.result && store.put({ ...asked.result, ...changes });
    return asked;
  }).catch(() => {}); // not kept at all: there is nothing to change
}

export function drop(slot) {
  return within(FILES, "readwrite", (store) => store.delete(slot)).catch(() => {});
}

export async function forget(slot) {
  await within(QUEUE, "readwrite", (store) => store.delete(slot)).catch(() => {});
  await drop(slot);
}

// What an earlier page left behind and no other page of this browser is sending, in the order chosen.
export async function left(mine) {
  try {
    const others = await taken();
    const found = await within(QUEUE, "readonly", (store) => store.getAll());
    const own = found.filter((each) => each.member === owner());
    for (const each of found) if (!own.includes(each)) forget(each.slot);
    const here = own.filter(({ slot }) => !others.has(slot) && !mine().includes(slot)).sort((one, other) => one.at - other.at);
    return Promise.all(here.map(async (each) => ({ ...each, file: (await bytes(each.slot)) ?? null })));
  } catch {
    return [];
  }
}

async function bytes(slot) {
  const found = await within(FILES, "readonly", (store) => store.get(slot)).catch(() => null);
  return found?.file;
}

// Other pages of this browser hear, whenever they ask, what this one is sending.
let channel;
export function tellOthers(mine) {
  if (!owner() || !window.BroadcastChannel) return;
  channel = new BroadcastChannel(NAME);
  channel.addEventListener("message", ({ data }) => data.sending || channel.postMessage({ sending: mine() }));
}

// The slots that they are sending.
export async function taken() {
  const found = new Set();
  if (!channel) return found;
  const hear = ({ data }) => {
    for (const slot of data.sending ?? []) found.add(slot);
  };
  channel.addEventListener("message", hear);
  channel.postMessage({});
  await new Promise((resolve) => setTimeout(resolve, ANSWERS));
  channel.removeEventListener("message", hear);
  return found;
}

export function wipe() {
  return new Promise((resolve) => {
    const asked = window.indexedDB?.deleteDatabase(NAME);
    if (!asked) return resolve();
    asked.onsuccess = asked.onerror = asked.onblocked = resolve;
  });
}
