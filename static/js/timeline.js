// Jump to month: the sheet closes and the month takes the focus. Without this the links are plain anchors.
export default function timeline(sheet) {
  sheet.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#m-']");
    if (!link) return;
    const month = document.getElementById(link.hash.slice(1));
    if (!month) return;
    event.preventDefault();
    sheet.hidePopover();
    month.scrollIntoView();
    history.replaceState(history.state, "", link.hash);
    month.querySelector(".month-name a").focus({ preventScroll: true });
    // what is drawn meanwhile above may move it: once more when it has settled
    setTimeout(() => month.getBoundingClientRect().top < 0 && month.scrollIntoView(), 400);
  });
}
