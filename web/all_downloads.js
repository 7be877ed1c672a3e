/** The menu of files that hold all documents: one text, one JSON Lines, or a ZIP with a file for each in a format. */

import { zipOf } from "./archive.js";
import { Downloads, nameOf, offeredOf, written } from "./downloads.js";
import { element } from "./element.js";
import { allJsonLines, renamed, unique } from "./exports.js";
import { titleOf } from "./refusal.js";
import { allText } from "./text.js";

export class AllDownloads extends Downloads {
  /** Fill the menu for the files of `queue`. */
  fillAll(queue, formats) {
    const { language } = this;
    const offered = offeredOf(formats);
    const heading = element("p", { class: "menu-heading" }, language.say("all.zip"));
    this.list.replaceChildren(
      this.entry("all-text", language.say("all.text"), () => this.keep("ocr.txt", allText(queue.items), "text/plain")),
      this.entry("all-jsonl", language.say("all.jsonl"), () => this.keep("ocr.jsonl", allJsonLines(queue.finished), "application/jsonl")),
      heading,
      ...offered.map((format) => this.entry(`zip-${format.name}`, nameOf(format, language), () => this.#zip(queue, [format]))),
      this.entry("zip-all", language.say("all.formats"), () => this.#zip(queue, offered)),
      this.entry("zip-labels", language.say("download.labels"), () => this.#labels(queue)),
    );
  }

  async #zip(queue, formats) {
    const { language, voice } = this;
    const items = queue.items.filter((item) => item.state === "done");
    const taken = new Set();
    const failures = [];
    let count = 0;
    async function* parts() {
      for (const item of items) {
        for (const format of formats) {
          count += 1;
          voice.toast(language.say("all.writing", { n: count, total: items.length * formats.length }));
          try {
            const [suffix, content] = await written(item, format);
            yield [unique(taken, renamed(item.name, suffix)), content];
          } catch (problem) {
            failures.push([item.name, format.name, titleOf(problem, language), problem.detail].filter(Boolean).join(": "));
          }
        }
      }
      if (failures.length) yield [unique(taken, "not-written.txt"), `${failures.join("\n")}\n`];
    }
    const archive = await zipOf(parts());
    this.keep("ocr.zip", archive);
    if (failures.length) voice.toast(language.say("all.failed", { n: failures.length }));
  }

  async #labels(queue) {
    const { labelledLines } = await import("./labels.js");
    const made = await labelledLines(queue.items.filter((item) => item.state === "done"));
    if (made) this.keep("ocr.lines.zip", made);
    else this.voice.toast(this.language.say("labels.none"));
  }
}
