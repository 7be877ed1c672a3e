/** How far the queue has come: the bar, the figures, and the words for people who do not see them. */

import { titleOf } from "./refusal.js";

export class Progress {
  #quarters = new WeakMap(); // item -> quarter of it that was announced last

  constructor(queue, language, voice) {
    Object.assign(this, { queue, language, voice });
    this.bar = document.getElementById("progress");
    this.figures = document.getElementById("rail-progress");
    this.foot = document.getElementById("rail-foot");
  }

  /** Show the present state; `item`, if it has just been finished, is announced. */
  show(item = null) {
    const { queue, language } = this;
    const total = queue.items.length;
    const finished = queue.finished.length;
    this.bar.max = Math.max(1, total);
    this.bar.value = finished;
    this.bar.hidden = finished === total;
    this.figures.textContent = total > 1 ? language.say("progress.now", { done: finished, total }) : "";
    this.foot.hidden = queue.items.filter((each) => each.state === "done").length < 2;
    if (item?.state === "done" || item?.state === "failed") this.#announce(item, finished, total);
  }

  /** Announce how much of a large file has been sent, a quarter at a time: more would talk over everything else. */
  sending(item) {
    const { loaded, total } = item.sent ?? { loaded: 0, total: 0 };
    const quarter = total ? Math.floor((4 * loaded) / total) : null;
    if (quarter === (this.#quarters.get(item) ?? null)) return;
    this.#quarters.set(item, quarter);
    if (quarter === null) return;
    const values = { name: item.name, size: this.language.size(total), n: Math.floor((100 * loaded) / total) };
    this.voice.say(this.language.say("say.sent", values));
  }

  #announce(item, finished, total) {
    const { language } = this;
    const failed = this.queue.items.filter((each) => each.state === "failed").length;
    const words = [
      item.state === "done"
        ? language.count("say.done", item.reading.lines.length, { name: item.name })
        : language.say("say.failed", { name: item.name, title: titleOf(item.problem, language) }),
    ];
    if (total > 1) words.push(language.say("progress.say", { done: finished, total }));
    if (total > 1 && failed) words.push(language.say("progress.failed", { n: failed }));
    this.voice.say(words.join(" "));
  }
}
