/** The lines of one page as a grid of rows: number, text, confidence, buttons. One row is in the tab order; arrows move. */

import { doubtfulPlaces, isSpelt, leastSure } from "./doubts.js";
import { element, icon } from "./element.js";
import { caretAt, openField } from "./line_field.js";

const DOUBLE_CLICK_MS = 500;
const NEAR_PIXELS = 4; // of two clicks that are one double click
const MOST_CHOICES = 5;

export class Lines {
  #rows = new Map(); // index of the line in the reading -> row
  #item = null;
  #page = null;
  #doubt = { threshold: 0.9, isDoubtful: () => false };
  #editing = null;
  #leave = null; // ends the editing and keeps what has been typed
  #click = null; // the one that has chosen a line: {event, index, caret}
  #sign = null; // place of the doubtful character that is looked at, in the chosen line

  /**
   * `root` is the element to fill; `act` has copy(line), correct(line, text), choose(line, at, text), next() -
   * go on to the next doubt, to correct it - and crop(line, page, width) -> canvas or null.
   */
  constructor(root, selection, language, act) {
    Object.assign(this, { root, selection, language, act });
    selection.addEventListener("hover", () => this.#mark());
    selection.addEventListener("select", (event) => this.#chosen(event.detail.origin));
  }

  /** Show the lines of `page` (an entry of the reading's pages); `doubt` has the threshold and isDoubtful(line). */
  show(item, page, doubt) {
    this.leave();
    this.#item = item;
    this.isShown = true;
    this.#page = page;
    this.#doubt = doubt;
    this.#rows.clear();
    const grid = element("div", { class: "rows", role: "grid", "aria-label": this.language.say("lines") });
    item.reading.lines.forEach((line, index) => {
      if (line.page === page.number) grid.append(this.#row(line, index));
    });
    grid.addEventListener("keydown", (event) => this.#key(event));
    grid.addEventListener("click", (event) => this.#again(event), { capture: true });
    this.root.replaceChildren(grid);
    this.#tabStop();
    this.#mark();
    this.#showDetails();
  }

  /** Show `card` instead of lines. */
  clear(card) {
    this.leave();
    this.isShown = false;
    this.#rows.clear();
    this.#item = null;
    this.root.replaceChildren(card);
  }

  /** End the editing, and keep what has been typed. */
  leave() {
    this.#leave?.();
  }

  /** Write the marks of doubt and the texts anew, without rebuilding the rows. */
  refresh() {
    for (const index of this.#rows.keys()) this.#refresh(index);
    this.#showDetails();
  }

  /** The place of the doubtful character that is looked at, or null. */
  get sign() {
    return this.#sign;
  }

  /** Look at character `at` of line `index`, or at the line as a whole (null). */
  look(index, at) {
    this.#sign = at;
    this.selection.select(index, "keys");
    this.focus();
  }

  /** Take choice `number` (from 0) for the character that is looked at; whether there is one. */
  take(number) {
    const line = this.#item?.reading.lines[this.selection.selected];
    const choice = line && this.#sign !== null && choicesOf(line, this.#sign)[number];
    if (choice) this.act.choose(line, this.#sign, choice.text);
    return Boolean(choice);
  }

  /** Choose the line `step` rows further on this page. */
  move(step) {
    const next = this.#near(step);
    if (next === undefined) return;
    this.#sign = null;
    this.selection.select(next, "keys");
    this.focus();
  }

  /** Put the keyboard on the chosen row. */
  focus() {
    this.#rows.get(this.selection.selected)?.focus({ preventScroll: true });
  }

  /** Turn the chosen line into a field; `caret` as openField takes it. */
  edit(index = this.selection.selected, caret = null) {
    const row = this.#rows.get(index);
    if (!row || this.#editing !== null) return;
    if (index !== this.selection.selected) this.selection.select(index, "lines");
    this.#editing = index;
    const line = this.#item.reading.lines[index];
    const finish = (text, step) => {
      this.#editing = null;
      this.#leave = null;
      if (text !== null) this.act.correct(line, text);
      if (this.#rows.get(index) !== row) return;
      this.#refresh(index);
      this.#showDetails();
      if (step === 0) row.focus();
      if (step === Infinity) {
        this.act.next();
        return;
      }
      const next = step ? this.#near(step) : undefined;
      if (step && next !== index) this.edit(next);
      else if (step) row.focus();
    };
    this.#leave = openField(row.querySelector(".line-text"), line.text, this.language.say("line.edit"), caret ?? this.#signRange(line), { finish });
  }

  #signRange(line) {
    if (this.#sign === null || !isSpelt(line)) return null;
    const start = line.characters.slice(0, this.#sign).reduce((sum, each) => sum + each.text.length, 0);
    return [start, start + line.characters[this.#sign].text.length];
  }

  #near(step) {
    const order = [...this.#rows.keys()];
    const now = order.indexOf(this.selection.selected);
    return order[now < 0 ? (step > 0 ? 0 : order.length - 1) : Math.min(order.length - 1, Math.max(0, now + step))];
  }

  /** The second of two clicks means the line of the first one: what was cut out below another line has left its place. */
  #again(event) {
    const first = this.#click;
    this.#click = null;
    if (!first || (event.detail < 2 && event.timeStamp - first.event.timeStamp > DOUBLE_CLICK_MS)) return;
    if (Math.hypot(event.clientX - first.event.clientX, event.clientY - first.event.clientY) > NEAR_PIXELS) return;
    event.stopPropagation();
    event.preventDefault();
    this.edit(first.index, first.caret);
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
    let wasSelected = false;
    row.addEventListener("pointerenter", () => this.selection.hover(index));
    row.addEventListener("pointerleave", () => this.selection.hover(null));
    row.addEventListener("pointerdown", () => {
      wasSelected = this.selection.selected === index;
    });
    row.addEventListener("click", (event) => {
      if (event.target.closest("button, input")) return;
      const cell = row.querySelector(".line-text");
      const caret = cell.contains(event.target) ? caretAt(cell, event) : null;
      if (!wasSelected) {
        this.#click = { event, index, caret };
        this.look(index, null);
      } else if (caret && getSelection().toString() === "") {
        this.edit(index, caret);
      }
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
    const doubtful = this.#doubt.isDoubtful(line);
    row.classList.toggle("doubtful", doubtful);
    row.classList.toggle("checked", Boolean(line.checked));
    if (this.#editing !== index) row.querySelector(".line-text").replaceChildren(...this.#spelling(line, index));
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
  #spelling(line, index) {
    const places = new Set(doubtfulPlaces(line, this.#doubt.threshold));
    const now = index === this.selection.selected ? this.#sign : null;
    if (!places.size && now === null) return [line.text];
    const pieces = [];
    line.characters?.forEach(({ text }, at) => {
      const kind = at === now ? "now" : places.has(at) ? "doubtful" : "";
      const last = pieces.at(-1);
      if (last?.kind === kind) last.text += text;
      else pieces.push({ kind, text });
    });
    return pieces.map(({ kind, text }) => (kind ? element("mark", { class: kind }, text) : text));
  }

  #chosen(origin) {
    if (origin !== "keys") this.#sign = null;
    for (const index of this.#rows.keys()) if (this.#rows.get(index).querySelector("mark.now") || index === this.selection.selected) this.#refresh(index);
    this.#mark();
    this.#tabStop();
    this.#showDetails();
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

  /** Below the chosen line: the line cut out of the picture, and what the character that is looked at may be. */
  #showDetails() {
    for (const old of this.root.querySelectorAll(".crop, .choices")) old.remove();
    const row = this.#rows.get(this.selection.selected);
    if (!row) return;
    const line = this.#item.reading.lines[this.selection.selected];
    const canvas = this.act.crop(line, this.#page, row.clientWidth - 72);
    if (canvas) row.append(canvas);
    const choices = this.#sign === null ? [] : choicesOf(line, this.#sign);
    if (choices.length) row.append(this.#choices(line, choices));
  }

  #choices(line, choices) {
    const button = ({ text, confidence }, number) => {
      const onclick = () => this.take(number);
      const label = this.language.say("choice", { text, n: Math.round(confidence * 100) });
      return element("button", { type: "button", class: "choice", title: label, "aria-label": label, onclick }, element("kbd", {}, String(number + 1)), element("b", { lang: "zh" }, text));
    };
    const words = this.language.say("choices", { text: line.characters[this.#sign].text });
    return element("span", { class: "choices", role: "gridcell", "aria-label": words }, ...choices.map(button));
  }

  #key(event) {
    if (event.target.matches("input") || event.altKey || event.ctrlKey || event.metaKey) return;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
    if (event.key in steps) {
      this.move(steps[event.key]);
    } else if ((event.key === "Enter" || event.key === "F2") && event.target.matches(".row")) {
      this.edit();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}

/** What character `at` of a line may be, itself first. */
function choicesOf(line, at) {
  const character = isSpelt(line) ? line.characters[at] : null;
  if (!character) return [];
  const others = (character.alternatives ?? []).filter(({ text }) => text && text !== character.text);
  return [character, ...others].slice(0, MOST_CHOICES);
}
