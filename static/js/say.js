// Tells those who listen instead of look. The words come from the page.
export function say(words) {
  const place = document.getElementById("say");
  if (!place) return;
  place.textContent = ""; // the same sentence twice is still two announcements
  requestAnimationFrame(() => {
    place.textContent = words;
  });
}

// Fills "{n} new posts – show": the sentences stand in the page, where they are translated.
export function fill(sentence = "", values = {}) {
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
