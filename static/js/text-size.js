// Choosing a size shows it at once on the whole page, which stays under the finger; it is kept by the form's own button.
export default function textSize(element) {
  element.addEventListener("change", ({ target }) => {
    const { top } = target.getBoundingClientRect();
    document.documentElement.dataset.text = target.value;
    scrollBy({ top: target.getBoundingClientRect().top - top, behavior: "instant" });
  });
}
