/** Going through a text: from doubt to doubt, confirming, taking corrections back. */

import { doubtfulPlaces, isDoubtful } from "./doubts.js";
import { $ } from "./shell.js";

export class Review {
  /** `page` has current(), edits, lines, out, selection, threshold, language and voice; `openPage(number)` shows a page. */
  constructor(page, openPage) {
    Object.assign(this, page);
    this.openPage = openPage;
    $("doubt-next").addEventListener("click", () => this.next());
    $("undo").addEventListener("click", () => this.undo(false));
    $("redo").addEventListener("click", () => this.undo(true));
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Whether a line wants a second look. */
  isDoubtful = (line) => isDoubtful(line, this.threshold.value, this.threshold.marks);

  /** Write how much is left to check, and what can be taken back. */
  count() {
    const item = this.current();
    const { form } = this.out;
    $("undo").disabled = !item?.done.length;
    $("redo").disabled = !item?.undone.length;
    $("doubt-bar").hidden = !item?.reading?.lines.length;
    $("doubts").hidden = form !== "lines";
    $("copy-table").hidden = form !== "rows" && form !== "tables";
    const n = this.#doubts().length;
    $("doubt-count").textContent = n ? this.language.count("doubt", n) : this.language.say("doubt.none");
    $("doubt-next").disabled = !n;
  }

  /** Go to the next character that is doubtful, or to the next line where none is known; whether there is one. */
  next() {
    const places = this.#doubts().flatMap(([line, index]) => {
      const signs = doubtfulPlaces(line, this.threshold.value);
      return signs.length ? signs.map((at) => [index, at]) : [[index, null]];
    });
    if (!places.length) return false;
    const [line, sign] = [this.selection.selected ?? -1, this.lines.sign ?? -1];
    const [index, at] = places.find((place) => place[0] > line || (place[0] === line && (place[1] ?? -1) > sign)) ?? places[0];
    this.#show(this.current().reading.lines[index], index, at);
    return true;
  }

  /** The chosen line is right: go on. */
  confirm() {
    const item = this.current();
    const line = item?.reading?.lines[this.selection.selected];
    if (!line) return;
    this.edits.correct(item, line, line.text);
    this.next();
  }

  /** Take the last correction back, or make it `again`, and show its line. */
  undo(again) {
    const item = this.current();
    if (!item?.reading) return;
    this.lines.leave();
    const line = again ? this.edits.redo(item) : this.edits.undo(item);
    if (!line) {
      this.voice.toast(this.language.say(again ? "redo.none" : "undo.none"));
      return;
    }
    this.#show(line, item.reading.lines.indexOf(line), null);
    this.voice.say(this.language.say(again ? "redone" : "undone", { text: line.text }));
  }

  #show(line, index, at) {
    this.out.form = "lines";
    if (line.page !== this.current().page) this.openPage(line.page);
    this.lines.look(index, at);
  }

  #doubts() {
    return (this.current()?.reading?.lines ?? []).flatMap((line, index) => (this.isDoubtful(line) ? [[line, index]] : []));
  }

  #key(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    if (event.target.closest?.("input:not([type=range], [type=checkbox]), textarea, dialog")) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    this.undo(key === "y" || event.shiftKey);
  }
}
