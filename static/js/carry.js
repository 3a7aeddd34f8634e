// The secret of a device's own link stands behind its #: taken out of the address and into the form. An icon on the home
// screen opens here; the tap on it was the tap, so its form goes off by itself.
export default function carry(form) {
  const secret = location.hash.slice(1);
  if (!secret) return;
  history.replaceState(null, "", location.pathname);
  form.elements.secret.value = secret;
  form.querySelector("[data-ready]").hidden = false;
  form.querySelector("[data-lost]").hidden = true;
  if (form.dataset.now !== undefined) form.requestSubmit();
}
