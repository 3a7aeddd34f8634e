// A tap on a photo opens it large: PhotoSwipe over the tiles of a post or of the vault (./slides.js), fetched at the first
// tap. The plain page /vault/<id> stays for new tabs and for browsers where anything of this fails.
export const TILES = "a[data-pswp-width]";

export default function viewer(element) {
  let opening = false;
  element.addEventListener("click", async (event) => {
    const tile = event.target.closest(TILES);
    if (!tile || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    if (element.hasAttribute("data-selecting")) return;
    event.preventDefault();
    if (opening) return;
    opening = true;
    try {
      const { open } = await import("./slides.js");
      await open(element, tile);
    } catch (error) {
      console.info("the viewer could not start", error);
      location.assign(tile.href);
    } finally {
      opening = false;
    }
  });
}
