// A composer for a page that has none: fetched from /new, in a sheet.
export default async function borrow() {
  const answer = await fetch("/new");
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const known = new Set([...document.styleSheets].map((sheet) => sheet.href));
  for (const sheet of page.querySelectorAll("link[rel=stylesheet]")) {
    if (!known.has(sheet.href)) document.head.append(document.adoptNode(sheet));
  }
  const dialog = document.createElement("dialog");
  dialog.className = "sheet";
  const head = document.querySelector("#tray .sheet-head").cloneNode(true);
  head.querySelector("h2").textContent = page.querySelector("h1").textContent;
  head.querySelector("h2").id = "composer-title";
  dialog.setAttribute("aria-labelledby", "composer-title");
  const form = document.adoptNode(page.querySelector("[data-behavior~=composer]"));
  form.classList.remove("card");
  dialog.append(head, form);
  document.body.append(dialog);
  document.dispatchEvent(new Event("htmx:after:swap")); // its own fields for files are bound by main.js
  return form;
}
