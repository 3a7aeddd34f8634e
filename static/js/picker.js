// A field for files that opens the composer, or puts them into its reply, as soon as something is chosen, or was before
// this was here.
import { toast } from "./toast.js";

export default function picker(input) {
  const reply = input.closest(".reply-pick");
  const take = async (files) => (await import(reply ? "./answer.js" : "./composer.js")).take(files, input.form);
  const empty = () => (input.value = ""); // so that the same file can be chosen again
  const pick = () => take([...input.files]).then(empty, () => toast(document.getElementById("tray").dataset.failed));
  input.onchange = pick;
  input.onclick = empty;
  if (input.files.length) pick();
  if (!reply) return;
  reply.hidden = false;
  if (localStorage.getItem("queue")) take([]); // perhaps some were chosen for it before a reload
}
