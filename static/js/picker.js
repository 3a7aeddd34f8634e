// A field for files that opens the composer as soon as something is chosen.
export default function picker(input) {
  input.addEventListener("change", async () => {
    const files = [...input.files];
    input.value = ""; // so that the same file can be chosen again
    const { take } = await import("./composer.js");
    take(files);
  });
}
