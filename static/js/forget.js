// At the door nobody is signed in: what this browser kept for whoever was (a draft, files on their way) goes.
// Home also asks for it by Clear-Site-Data, which browsers heed only on https.
import { wipe } from "./store.js";

export default function forget() {
  localStorage.clear();
  wipe();
}
