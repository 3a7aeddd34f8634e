// The secret of an invitation stands behind the # of its link, which a browser never sends: read here once, taken out of
// the address (and so of the history), and sent in the body of a form. It is kept nowhere.
export default async function join(element) {
  const secret = location.hash.slice(1);
  if (!secret) return;
  history.replaceState(null, "", location.pathname);
  if (element.matches("form")) return offerTap(element, secret);
  const typed = document.querySelector("[data-typed]");
  try {
    const answer = await fetch(element.dataset.look, { method: "POST", body: new URLSearchParams({ secret }) });
    if (answer.status >= 500) throw new Error(answer.statusText);
    element.innerHTML = await answer.text(); // a fragment of ours, drawn and escaped by home
    typed.hidden = answer.ok;
  } catch {
    const line = document.createElement("p");
    line.className = "problems";
    line.textContent = element.dataset.problem;
    element.replaceChildren(line);
  }
  element.querySelector(".problems")?.focus();
}

// Set-up's link: the code need not be typed, one tap is enough.
function offerTap(form, secret) {
  const code = form.querySelector("[name=code]");
  const hidden = document.createElement("input");
  Object.assign(hidden, { type: "hidden", name: "secret", value: secret });
  form.append(hidden);
  code.required = false;
  code.closest(".field").hidden = true;
  const lead = form.querySelector(".lead");
  if (lead) lead.hidden = true;
}
