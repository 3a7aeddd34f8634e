// What a file is on this device: its SHA-256 in hex, reckoned beside the page by the worker ./sha256.js, one file at a
// time. Null, and nothing else happens, where a browser has no workers or the file cannot be read.
let worker;
let turn = Promise.resolve();

export function hashOf(file) {
  turn = turn.then(() => ask(file)).catch(() => null);
  return turn;
}

function ask(file) {
  if (!file) return null;
  worker ??= new Worker(new URL("./sha256.js", import.meta.url));
  return new Promise((resolve) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      worker = undefined; // it could not be loaded, or had no memory left: the next file tries again
      resolve(null);
    };
    worker.postMessage(file);
  });
}
