// Choosing a size shows it at once on the whole page; it is kept by the form's own button.
export default function textSize(element) {
  element.addEventListener("change", ({ target }) => {
    document.documentElement.dataset.text = target.value;
  });
}
