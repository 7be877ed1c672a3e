/** The menu of files to keep: what the page can write itself, and what the service writes from the file again. */

import { renderFile } from "./api.js";
import { element } from "./element.js";
import { objectOf, renamed, save, textOf, tsvOf } from "./exports.js";
import { titleOf } from "./refusal.js";

const OWN = {
  text: [".txt", "text/plain", (reading) => `${textOf(reading)}\n`],
  json: [".json", "application/json", (reading) => `${JSON.stringify(objectOf(reading), null, 1)}\n`],
  tsv: [".tsv", "text/tab-separated-values", tsvOf],
};

export class Downloads {
  /** `menu` is the <details>, `list` what it opens. */
  constructor(menu, list, language, voice) {
    Object.assign(this, { menu, list, language, voice });
  }

  /** Fill the menu for one file that has been read; `formats` are those of the service. */
  fill(item, formats) {
    // What the page cannot write (hOCR, ALTO, searchable PDF) has no place for corrections, hence "read again".
    const others = formats.filter(({ name }) => !(name in OWN) && name !== "jsonl");
    this.list.replaceChildren(
      ...Object.keys(OWN).map((name) => this.#entry(name, this.language.say(`download.${name}`), () => this.#write(item, name))),
      ...others.map((format) => this.#entry(format.name, this.language.say("download.other", { name: format.name }), () => this.#ask(item, format))),
    );
  }

  /** Give `content` to the browser and say so. */
  keep(name, content, type) {
    save(name, content, type);
    this.voice.toast(this.language.say("downloaded", { name }));
  }

  #entry(name, words, act) {
    const onclick = () => {
      this.menu.open = false;
      this.menu.querySelector("summary").focus();
      act();
    };
    return element("button", { type: "button", class: "menu-item", "data-format": name, onclick }, words);
  }

  #write(item, name) {
    const [suffix, type, write] = OWN[name];
    this.keep(renamed(item.name, suffix), write(item.reading), type);
  }

  async #ask(item, { name, suffix }) {
    try {
      this.keep(renamed(item.name, suffix), await renderFile(item.file, { ...item.choices, password: item.password }, name));
    } catch (problem) {
      this.voice.toast([titleOf(problem, this.language), problem.detail].filter(Boolean).join(": "));
    }
  }
}
