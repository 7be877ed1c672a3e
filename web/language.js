/** The one place that knows which language the page speaks. */

import { ENGLISH } from "./english.js";

const STORED = "ocrsvc.language";
const TONGUES = { en: ENGLISH, zh: null }; // Chinese is fetched by those who read it
const MORE = { en: () => import("./english_more.js"), zh: () => import("./chinese_more.js") };

/** The language of the page: English or Chinese, from the browser at first, then as chosen. */
export class Language extends EventTarget {
  constructor(preferred = navigator.languages ?? [navigator.language]) {
    super();
    const first = preferred.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag in TONGUES);
    this.tag = remembered() ?? first ?? "en";
  }

  #needsMore = false;
  #added = new Set();

  /** Fetch the words of the language, if they are not there yet. */
  async load() {
    if (this.tag === "zh") TONGUES.zh ??= { ...(await import("./chinese.js")).CHINESE };
    if (this.#needsMore) await this.more();
  }

  /** Fetch the words of what is not on show at first, too: menus, views, dialogs. */
  async more() {
    this.#needsMore = true;
    const { tag } = this;
    if (this.#added.has(tag)) return;
    const { MORE_WORDS } = await MORE[tag]();
    Object.assign(TONGUES[tag], MORE_WORDS);
    this.#added.add(tag);
  }

  /** The other language: what the switch offers. */
  get other() {
    return this.tag === "zh" ? "en" : "zh";
  }

  /** Speak `tag` from now on, here and at the next visit; dispatches "change". */
  async choose(tag) {
    this.tag = tag;
    try {
      localStorage.setItem(STORED, tag);
    } catch {
      // Private windows may forbid it: then the choice lasts as long as the page.
    }
    await this.load();
    this.dispatchEvent(new Event("change"));
  }

  /** Whether there are words for `key`. */
  has(key) {
    return key in (TONGUES[this.tag] ?? ENGLISH);
  }

  /** The words for `key` with `{name}` filled in from `values`; the key itself if there are none. */
  say(key, values = {}) {
    const words = TONGUES[this.tag]?.[key] ?? ENGLISH[key] ?? key;
    return words.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
  }

  /** As `say`, in the singular or plural of `n`. */
  count(key, n, values = {}) {
    return this.say(`${key}.${n === 1 ? "one" : "other"}`, { n, ...values });
  }

  /** A size of a file in the units that people read. */
  size(bytes) {
    if (bytes < 2 ** 20) return `${Math.max(1, Math.round(bytes / 2 ** 10))} KiB`;
    return bytes < 2 ** 30 ? `${Number((bytes / 2 ** 20).toFixed(1))} MiB` : `${Number((bytes / 2 ** 30).toFixed(1))} GiB`;
  }

  /** Fill every element below `root` that is marked with data-t, data-t-label or data-t-placeholder. */
  fill(root = document) {
    for (const element of root.querySelectorAll("[data-t]")) element.textContent = this.say(element.dataset.t);
    for (const element of root.querySelectorAll("[data-t-label]")) {
      const words = this.say(element.dataset.tLabel);
      element.setAttribute("aria-label", words);
      if (element.matches("button, select")) element.title = words;
    }
  }
}

function remembered() {
  try {
    const tag = localStorage.getItem(STORED);
    return tag in TONGUES ? tag : null;
  } catch {
    return null;
  }
}
