/** Forgetting files and reading them again, with a question before corrections are lost. */

import { countEdits } from "./edits.js";

export class Removal {
  /** `page` has current(), queue, past, language and options; `open(item)` shows another file. */
  constructor(page, open) {
    Object.assign(this, page);
    this.open = open;
  }

  /** Forget a file and go on with its neighbour; whether that was done. */
  remove(item) {
    if (!this.#mayLose([item])) return false;
    const at = this.queue.items.indexOf(item);
    if (item === this.current()) this.open(this.queue.items[at + 1] ?? this.queue.items[at - 1] ?? null);
    this.queue.remove(item);
    this.past.close(item);
    return true;
  }

  clear() {
    if (!this.#mayLose(this.queue.items)) return;
    const gone = this.queue.items;
    this.queue.clear();
    for (const item of gone) this.past.close(item);
  }

  /** Read a file again with the present options. */
  again(item) {
    const n = countEdits(item);
    if (!n || confirm(this.language.say("lose.again", { n }))) this.queue.again(item, this.options.choices);
  }

  /** Corrections that are not kept are asked about. */
  #mayLose(items) {
    const lost = this.past.isOn ? [] : items.filter((item) => countEdits(item));
    return !lost.length || confirm(this.language.say("lose.remove", { n: lost.reduce((sum, item) => sum + countEdits(item), 0) }));
  }
}
