/** The lines of one page as a grid of rows: number, text, confidence, buttons. One row is in the tab order; arrows move. */

import { element, icon } from "./element.js";

export class Lines {
  #rows = new Map(); // index of the line in the reading -> row
  #item = null;
  #page = null;
  #threshold = 0.9;
  #editing = null;
  #keep = null; // what has been typed into the field that is open

  /** `root` is the element to fill; `act` has copy(line), corrected(line) and crop(line, width) -> canvas or null. */
  constructor(root, selection, language, act) {
    Object.assign(this, { root, selection, language, act });
    selection.addEventListener("hover", () => this.#mark());
    selection.addEventListener("select", (event) => this.#chosen(event.detail.origin));
  }

  /** Show the lines of `page` (an entry of the reading's pages). */
  show(item, page, threshold) {
    this.#keep?.();
    this.#item = item;
    this.isShown = true;
    this.#page = page;
    this.#threshold = threshold;
    this.#rows.clear();
    const grid = element("div", { class: "rows", role: "grid", "aria-label": this.language.say("lines") });
    item.reading.lines.forEach((line, index) => {
      if (line.page === page.number) grid.append(this.#row(line, index));
    });
    grid.addEventListener("keydown", (event) => this.#key(event));
    this.root.replaceChildren(grid);
    this.#tabStop();
    this.#mark();
    this.#showCrop();
  }

  /** Show `card` instead of lines. */
  clear(card) {
    this.#keep?.();
    this.isShown = false;
    this.#rows.clear();
    this.#item = null;
    this.#editing = null;
    this.root.replaceChildren(card);
  }

  /** Whether a line wants a second look: by the server's word, or by the slider. What a person has checked does not. */
  isDoubtful(line, threshold = this.#threshold) {
    return !line.checked && (line.needs_review === true || leastSure(line) < threshold);
  }

  /** Move the threshold without rebuilding the rows. */
  setThreshold(threshold) {
    this.#threshold = threshold;
    for (const index of this.#rows.keys()) this.#refresh(index);
  }

  /** Choose the line `step` rows further on this page. */
  move(step) {
    const order = [...this.#rows.keys()];
    if (!order.length) return;
    const now = order.indexOf(this.selection.selected);
    const next = now < 0 ? (step > 0 ? 0 : order.length - 1) : Math.min(order.length - 1, Math.max(0, now + step));
    this.selection.select(order[next], "keys");
    this.focus();
  }

  /** Put the keyboard on the chosen row. */
  focus() {
    this.#rows.get(this.selection.selected)?.focus({ preventScroll: true });
  }

  /** Turn the chosen line into a field. */
  edit(index = this.selection.selected) {
    const row = this.#rows.get(index);
    if (!row || this.#editing !== null) return;
    if (index !== this.selection.selected) this.selection.select(index, "lines");
    this.#editing = index;
    const line = this.#item.reading.lines[index];
    const field = element("input", { class: "field", value: line.text, spellcheck: "false", "aria-label": this.language.say("line.edit") });
    const finish = (keep, refocus) => {
      if (this.#editing !== index) return;
      this.#editing = null;
      this.#keep = null;
      if (keep) {
        if (field.value !== line.text) {
          line.read ??= line.text;
          line.text = field.value;
          delete line.characters; // they no longer stand where the recogniser put them
        }
        line.checked = true;
        this.act.corrected(line);
      }
      this.#refresh(index);
      if (refocus) row.focus();
    };
    this.#keep = () => finish(field.value !== line.text, false);
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.isComposing) return; // Enter and Escape belong to the Chinese input method
      if (event.key === "Enter") finish(true, true);
      if (event.key === "Escape") finish(false, true);
    });
    field.addEventListener("blur", () => this.#keep?.());
    row.querySelector(".line-text").replaceChildren(field);
    field.focus();
  }

  #row(line, index) {
    const { language } = this;
    const row = element(
      "div",
      { class: "row", role: "row", tabindex: "-1", "data-line": index },
      element("span", { class: "line-number", role: "rowheader" }, String(this.#rows.size + 1)),
      element("span", { class: "line-text", role: "gridcell", lang: /[\u3400-\u9fff]/.test(line.text) ? "zh" : null }),
      element("span", { class: "line-sure", role: "gridcell" }),
      element(
        "span",
        { class: "line-tools", role: "gridcell" },
        this.#button("edit", language.say("line.edit"), () => this.edit(index)),
        this.#button("copy", language.say("line.copy"), () => this.act.copy(line)),
      ),
    );
    row.addEventListener("pointerenter", () => this.selection.hover(index));
    row.addEventListener("pointerleave", () => this.selection.hover(null));
    row.addEventListener("click", (event) => {
      if (event.target.closest("button, input")) return;
      this.selection.select(index, "lines");
    });
    row.addEventListener("dblclick", (event) => {
      if (!event.target.closest("button, input")) this.edit(index);
    });
    row.addEventListener("focus", () => {
      if (this.selection.selected !== index) this.selection.select(index, "lines");
    });
    this.#rows.set(index, row);
    this.#refresh(index);
    return row;
  }

  #button(name, label, onclick) {
    return element("button", { type: "button", class: "tool", tabindex: "-1", title: label, "aria-label": label, onclick }, icon(name));
  }

  #refresh(index) {
    const row = this.#rows.get(index);
    const line = this.#item.reading.lines[index];
    const doubtful = this.isDoubtful(line);
    row.classList.toggle("doubtful", doubtful);
    row.classList.toggle("checked", Boolean(line.checked));
    if (this.#editing !== index) row.querySelector(".line-text").replaceChildren(...this.#spelling(line));
    const percent = Math.floor(line.confidence * 100 + 1e-6);
    const state = line.checked ? this.language.say("line.corrected") : doubtful ? this.language.say("line.doubtful") : "";
    const sure = row.querySelector(".line-sure");
    const lowest = doubtful && line.characters ? this.language.say("confidence.lowest", { n: Math.floor(leastSure(line) * 100) }) : "";
    const conflict = line.charset_conflict && !line.checked ? this.language.say("line.conflict", { text: line.free_text }) : "";
    const words = [this.language.say("confidence", { n: percent }), lowest, state, conflict].filter(Boolean).join(", ");
    sure.title = words;
    sure.replaceChildren(
      element("span", { class: "sr-only" }, words),
      element("span", { class: "sure", "aria-hidden": "true" }, line.checked ? icon("done") : doubtful ? icon("warning") : "", String(percent)),
    );
  }

  /** The text with its doubtful characters marked, where the server has told about each. */
  #spelling(line) {
    const characters = line.characters ?? [];
    if (line.checked || !characters.length || characters.map((each) => each.text).join("") !== line.text) return [line.text];
    const pieces = [];
    for (const character of characters) {
      const doubtful = character.confidence < this.#threshold && character.text.trim() !== "";
      const last = pieces.at(-1);
      if (last?.doubtful === doubtful) last.text += character.text;
      else pieces.push({ doubtful, text: character.text });
    }
    return pieces.map((piece) => (piece.doubtful ? element("mark", {}, piece.text) : piece.text));
  }

  #chosen(origin) {
    this.#mark();
    this.#tabStop();
    this.#showCrop();
    const row = this.#rows.get(this.selection.selected);
    if (row && origin !== "lines") row.scrollIntoView({ block: "nearest", behavior: "instant" });
  }

  #mark() {
    for (const [index, row] of this.#rows) {
      row.classList.toggle("hovered", index === this.selection.hovered);
      row.classList.toggle("selected", index === this.selection.selected);
      row.setAttribute("aria-selected", String(index === this.selection.selected));
    }
  }

  #tabStop() {
    const stop = this.#rows.has(this.selection.selected) ? this.selection.selected : [...this.#rows.keys()][0];
    for (const [index, row] of this.#rows) {
      const order = index === stop ? "0" : "-1";
      row.tabIndex = order;
      for (const button of row.querySelectorAll("button")) button.tabIndex = order;
    }
  }

  #showCrop() {
    this.root.querySelector(".crop")?.remove();
    const row = this.#rows.get(this.selection.selected);
    if (!row) return;
    const line = this.#item.reading.lines[this.selection.selected];
    const canvas = this.act.crop(line, this.#page, row.clientWidth - 72);
    if (canvas) row.append(canvas);
  }

  #key(event) {
    if (event.target.matches("input") || event.altKey || event.ctrlKey || event.metaKey) return;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
    if (event.key in steps) this.move(steps[event.key]);
    else if ((event.key === "Enter" || event.key === "F2") && event.target.matches(".row")) this.edit();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/**
 * The confidence of a line's most doubtful character; the line's own where there are no characters.
 * A mean hides one wrong digit: of 250 real lines, read by ppocrv6-small,
 * "a character below 0.9" caught 40 % of the wrong ones and
 * marked 16 % of all; "a mean below 0.9" caught 16 %.
 */
function leastSure(line) {
  const visible = (line.characters ?? []).filter((character) => character.text.trim());
  return visible.length ? Math.min(...visible.map((character) => character.confidence)) : line.confidence;
}
