/** The strip of a document's pages. Those in sight have their picture; the others give it back. */

import { element } from "./element.js";
import { release } from "./leaves.js";

const WIDTH = 56; // CSS pixels

export class Thumbnails {
  #item = null;
  #numbers = "";
  #observer;

  /** `root` is the <ol>; `open(number)` shows a page. */
  constructor(root, language, open) {
    Object.assign(this, { root, language, open });
    this.#observer = new IntersectionObserver((entries) => entries.forEach((entry) => this.#sight(entry)), { root, rootMargin: "300px" });
    root.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Show the pages `numbers` of `item`; `stateOf(number)` is read, failed or unread. Hidden if there is but one. */
  show(item, numbers, stateOf) {
    const leaves = item?.leaves;
    this.root.hidden = numbers.length < 2 || leaves?.state !== "open";
    const key = this.root.hidden ? "" : `${item.id} ${this.language.tag} ${numbers.join()}`;
    if (key !== this.#numbers) {
      this.#numbers = key;
      this.#item = item;
      this.#observer.disconnect();
      for (const canvas of this.root.querySelectorAll("canvas")) release(canvas);
      this.root.replaceChildren(...(this.root.hidden ? [] : numbers.map((number) => this.#entry(number))));
      for (const entry of this.root.children) this.#observer.observe(entry);
    }
    for (const entry of this.root.children) this.#refresh(entry, stateOf(Number(entry.dataset.page)));
  }

  #entry(number) {
    const frame = element("span", { class: "mini", "aria-hidden": "true" });
    const button = element("button", { type: "button", class: "mini-open", onclick: () => this.open(number) }, frame, element("span", { class: "mini-number" }, String(number)));
    return element("li", { "data-page": number }, button);
  }

  #refresh(entry, state) {
    const number = Number(entry.dataset.page);
    const button = entry.firstChild;
    const now = number === this.#item.page;
    const words = [`${this.language.say("page")} ${number}`, state === "read" ? "" : this.language.say(`page.${state}`)];
    button.setAttribute("aria-label", words.filter(Boolean).join(", "));
    button.tabIndex = now ? 0 : -1;
    entry.dataset.state = state;
    if (now === button.hasAttribute("aria-current")) return;
    if (now) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
    if (now) this.#reveal(entry);
  }

  #reveal(entry) {
    const [seen, wanted] = [this.root.getBoundingClientRect(), entry.getBoundingClientRect()];
    if (wanted.top < seen.top || wanted.bottom > seen.bottom) this.root.scrollTop += wanted.top - seen.top - seen.height / 3;
  }

  async #sight({ target, isIntersecting }) {
    target.inSight = isIntersecting;
    const frame = target.querySelector(".mini");
    if (!isIntersecting) {
      for (const canvas of frame.querySelectorAll("canvas")) release(canvas);
      frame.replaceChildren();
      return;
    }
    const { leaves } = this.#item;
    const wanted = () => target.inSight && target.isConnected && !frame.firstChild;
    const width = WIDTH * Math.min(window.devicePixelRatio || 1, 2);
    const canvas = await leaves.thumbnail(Number(target.dataset.page), width, wanted).catch(() => null);
    if (canvas && wanted()) frame.replaceChildren(canvas);
    else if (canvas) release(canvas);
  }

  #key(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };
    if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
    const entries = [...this.root.children];
    const at = entries.findIndex((entry) => entry.contains(document.activeElement));
    if (at < 0) return;
    event.preventDefault();
    event.stopPropagation();
    const next = entries[Math.min(entries.length - 1, Math.max(0, at + steps[event.key]))];
    this.open(Number(next.dataset.page));
    next.firstChild.focus({ preventScroll: true });
  }
}
