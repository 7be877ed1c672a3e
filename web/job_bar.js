/** How far the file on show is, while it is sent and while its pages are read, with a way to stop it. */

import { element, icon } from "./element.js";

export class JobBar {
  #item = null;
  #tag = "";

  /** `act` has remove(item). */
  constructor(root, language, act) {
    Object.assign(this, { root, language, act });
  }

  get isShown() {
    return !this.root.hidden;
  }

  /** Show how far `item` (or null) is; nothing if there is nothing to tell. */
  show(item) {
    const now = item && stepOf(item, this.language);
    this.root.hidden = !now;
    if (!now) {
      this.#item = null;
      this.root.replaceChildren();
      return;
    }
    if (item !== this.#item || this.#tag !== this.language.tag) this.#build(item); // else the keyboard may be on it
    const bar = this.root.querySelector("progress");
    bar.max = now.most;
    bar.value = now.value;
    bar.setAttribute("aria-label", now.label);
    this.root.querySelector(".pages-now").textContent = now.words;
  }

  #build(item) {
    const stop = { type: "button", class: "button small", onclick: () => this.act.remove(item) };
    const button = element("button", stop, icon("close"), this.language.say("cancel"));
    this.root.replaceChildren(element("div", { class: "pages-card" }, element("span", { class: "pages-now" }), element("progress", {}), button));
    this.#item = item;
    this.#tag = this.language.tag;
  }
}

/** What is told of an item that is being read: {value, most, label, words}, or null. */
function stepOf({ state, sent, pages, isOffline }, language) {
  if (state !== "reading") return null;
  if (sent) return { value: sent.loaded, most: sent.total, label: language.say("sent"), words: language.say("sent.now", sizesOf(sent, language)) };
  if (!(pages?.total > 1)) return null;
  const n = pages.read + pages.failed;
  return { value: n, most: pages.total, label: language.say("pages.read"), words: language.say(isOffline ? "pages.offline" : "pages.now", { n, total: pages.total }) };
}

/** How much of a file has been sent, and how large it is, in the words of {n} and {total}. */
export function sizesOf({ loaded, total }, language) {
  return { n: language.size(loaded), total: language.size(total) };
}
