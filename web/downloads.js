/** The menu of files to keep. All have the corrections: the page writes text and JSON, the service the other formats. */

import { renderReading } from "./api.js";
import { element } from "./element.js";
import { objectOf, renamed, save, sendable } from "./exports.js";
import { titleOf } from "./refusal.js";
import { textOf } from "./text.js";

const OWN = {
  json: (item) => new Blob([`${JSON.stringify(objectOf(item.reading), null, 1)}\n`], { type: "application/json" }),
  text: (item) => new Blob([`${textOf(item.reading)}\n`], { type: "text/plain" }),
};
const ORDER = ["pdf", "markdown", "xlsx", "docx", "csv", "hocr", "alto", "pagexml", "tsv", "json", "text"];

/** The formats that are offered for one file, in the order in which they are: those with a use for most people first. */
export function offeredOf(formats) {
  const known = new Map(formats.map((format) => [format.name, format]));
  for (const [name, suffix] of [["json", ".json"], ["text", ".txt"]]) if (!known.has(name)) known.set(name, { name, suffix });
  known.delete("jsonl");
  const rank = ({ name }) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  return [...known.values()].sort((a, b) => rank(a) - rank(b));
}

/** What a format is called, in the language of the page where it has a name for it. */
export function nameOf(format, language) {
  return language.has(`format.${format.name}`) ? language.say(`format.${format.name}`) : `${format.name} (${format.suffix})`;
}

/** An item in a format, as [suffix, Blob]; raises Problem. A file of PAGE XML holds one page: of more, it is a ZIP. */
export async function written(item, { name, suffix }) {
  if (name in OWN) return [suffix, OWN[name](item)];
  const { pages } = item.reading;
  if (name === "pagexml" && pages.length > 1) {
    const { zipOf } = await import("./archive.js");
    const parts = pages.map(({ number }) => [`${String(number).padStart(4, "0")}${suffix}`, () => renderReading(sendable(item.reading, number), {}, { format: name })]);
    return [`${suffix}.zip`, await zipOf(parts)];
  }
  const source = name === "pdf" ? item : {};
  return [suffix, await renderReading(sendable(item.reading), source, { format: name })];
}

/** Whether a person has corrected text that the PDF states itself, and that a searchable PDF therefore keeps. */
export function keepsOwnText({ reading }) {
  return reading.lines.some((line) => line.source === "pdf_text" && line.read !== undefined);
}

export class Downloads {
  /** `menu` is the <details>, `list` what it opens. */
  constructor(menu, list, language, voice) {
    Object.assign(this, { menu, list, language, voice });
  }

  /** Fill the menu for one file that has been read; `formats` are those of the service. */
  fill(item, formats) {
    const { language } = this;
    const entries = offeredOf(formats).map((format) => this.entry(format.name, nameOf(format, language), () => this.write(item, format)));
    const labels = this.entry("labels", language.say("download.labels"), () => this.#labels(item));
    const notes = [language.say("download.corrected"), keepsOwnText(item) ? language.say("download.own-text") : ""].filter(Boolean);
    this.list.replaceChildren(...entries, labels, element("p", { class: "menu-note" }, notes.join(" ")));
  }

  /** Give `content` to the browser and say so. */
  keep(name, content, type) {
    save(name, content, type);
    this.voice.toast(this.language.say("downloaded", { name }));
  }

  /** An entry of a menu, which closes it. */
  entry(name, words, act) {
    const onclick = () => {
      this.menu.open = false;
      this.menu.querySelector("summary").focus();
      act();
    };
    return element("button", { type: "button", class: "menu-item", "data-format": name, onclick }, words);
  }

  /** Write a file that has been read in a format, and keep it. */
  async write(item, format) {
    if (!(format.name in OWN)) this.voice.toast(this.language.say("download.writing", { name: renamed(item.name, format.suffix) }));
    try {
      const [suffix, content] = await written(item, format);
      this.keep(renamed(item.name, suffix), content);
    } catch (problem) {
      this.voice.toast([titleOf(problem, this.language), problem.detail].filter(Boolean).join(": "));
    }
  }

  async #labels(item) {
    const { labelledLines } = await import("./labels.js");
    const made = await labelledLines([item]);
    if (made) this.keep(renamed(item.name, ".lines.zip"), made);
    else this.voice.toast(this.language.say("labels.none"));
  }
}
