// Keeps "2 min" true while a page stays open. The server has written the words; they are only renewed for times of the
// last day, by the browser's own language of relative time, so that no word is kept here.
const language = document.documentElement.lang || "en";
const spell = (unit, unitDisplay) => new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay });
const [minute, hour] = [spell("minute", "short"), spell("hour", "narrow")]; // as the server says it: "5 min", "2h"
const watched = new Set();
let timer;

function renew(element) {
  const minutes = Math.floor((Date.now() - Date.parse(element.dateTime)) / 60_000);
  if (!(minutes >= 1 && minutes < 24 * 60)) return; // an older one, or a clock that is wrong: the server's word stands
  element.textContent = minutes < 60 ? minute.format(minutes) : hour.format(Math.floor(minutes / 60));
}

function renewAll() {
  if (document.hidden) return;
  for (const element of watched) element.isConnected ? renew(element) : watched.delete(element);
}

export default function localTime(element) {
  if (Date.now() - Date.parse(element.dateTime) > 24 * 3_600_000) return;
  watched.add(element);
  if (timer) return;
  timer = setInterval(renewAll, 60_000);
  document.addEventListener("visibilitychange", renewAll);
}
