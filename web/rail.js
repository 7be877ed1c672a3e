/** The list of files with their states; the first to say what happens, and what has gone wrong. */

import { element, icon } from "./element.js";
import { sizesOf } from "./job_bar.js";

export class Rail {
  #entries = new Map(); // item -> its <li>
  #current = null;
  #clock = null;

  /** `act` has open(item) and remove(item). */
  constructor(root, queue, language, act) {
    Object.assign(this, { root, queue, language, act });
  }

  /** Make the list agree with the queue, `current` being the file on show. */
  show(current) {
    this.#current = current;
    for (const [item, entry] of this.#entries) {
      if (this.queue.items.includes(item)) continue;
      entry.remove();
      this.#entries.delete(item);
    }
    for (const item of this.queue.items) {
      if (!this.#entries.has(item)) this.#entries.set(item, this.root.appendChild(this.#entry(item)));
      this.#refresh(item);
    }
  }

  /** Bring the current file's entry into view, within the list only. */
  reveal() {
    const entry = this.#entries.get(this.#current);
    if (!entry) return;
    const { root } = this;
    const [seen, wanted] = [root.getBoundingClientRect(), entry.getBoundingClientRect()];
    if (wanted.top < seen.top || wanted.bottom > seen.bottom) root.scrollTop += wanted.top - seen.top - seen.height / 3;
    if (wanted.left < seen.left || wanted.right > seen.right) root.scrollLeft += wanted.left - seen.left - 16;
  }

  /** Put the keyboard on the current file. */
  focus() {
    this.#entries.get(this.#current)?.querySelector(".entry-open").focus();
  }

  /** After the language has changed everything is written anew. */
  rewrite() {
    for (const entry of this.#entries.values()) entry.remove();
    this.#entries.clear();
    this.show(this.#current);
  }

  #entry(item) {
    const name = element("span", { class: "entry-name", title: item.name }, item.name);
    const open = element("button", { type: "button", class: "entry-open", onclick: () => this.act.open(item) }, this.#thumbnail(item));
    const sent = element("progress", { class: "entry-sent", "aria-hidden": "true" });
    open.append(element("span", { class: "entry-words" }, name, element("span", { class: "entry-state" }), sent));
    const label = this.language.say("remove", { name: item.name });
    const remove = { type: "button", class: "tool entry-remove", title: label, "aria-label": label, onclick: () => this.act.remove(item) };
    return element("li", { class: "entry" }, open, element("button", remove, icon("close")));
  }

  #thumbnail(item) {
    const frame = element("span", { class: "thumbnail", "aria-hidden": "true" }, icon("file"));
    if (item.file.type.startsWith("image/")) {
      const image = element("img", { alt: "", loading: "lazy", decoding: "async", src: item.url });
      image.addEventListener("load", () => frame.classList.add("loaded"));
      image.addEventListener("error", () => image.remove());
      frame.append(image);
    }
    return frame;
  }

  #refresh(item) {
    const entry = this.#entries.get(item);
    entry.dataset.state = item.state;
    const open = entry.querySelector(".entry-open");
    if (item === this.#current) open.setAttribute("aria-current", "true");
    else open.removeAttribute("aria-current");
    entry.querySelector(".entry-state").textContent = this.#state(item);
    const sent = entry.querySelector(".entry-sent");
    sent.hidden = !item.sent;
    if (item.sent) Object.assign(sent, { max: item.sent.total, value: item.sent.loaded });
    if (item.wakesAt) this.#tick();
  }

  #state(item) {
    const { language } = this;
    if (item.state === "done") return language.count("state.done", item.reading.lines.length);
    if (item.state === "failed") return language.say("state.failed");
    if (item.wakesAt) return language.say(item.problem.isBusy ? "state.busy" : "state.unanswered", { n: Math.max(1, Math.ceil((item.wakesAt - Date.now()) / 1000)) });
    if (item.sent) return language.say("state.sent", sizesOf(item.sent, language));
    if (item.isOffline) return language.say("state.offline");
    if (item.state === "reading" && item.pages?.total > 1) {
      return language.say("state.pages", { n: item.pages.read + item.pages.failed, total: item.pages.total });
    }
    return language.say(`state.${item.state}`);
  }

  /** While a file waits for the server, its countdown goes on. */
  #tick() {
    this.#clock ??= setInterval(() => {
      const sleepers = this.queue.items.filter((item) => item.wakesAt && this.#entries.has(item));
      for (const item of sleepers) this.#entries.get(item).querySelector(".entry-state").textContent = this.#state(item);
      if (sleepers.length) return;
      clearInterval(this.#clock);
      this.#clock = null;
    }, 500);
  }
}
