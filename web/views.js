/** One page's text as rows, paragraphs or tables, to be read and copied; a click shows where a line stands. */

import { copyTable } from "./clipboard.js";
import { element, icon } from "./element.js";
import { blocksOf, gridOf, joints, paragraphsOf, rowsOf } from "./layouts.js";

export class Views {
  #item = null;

  /** `root` is the element to fill; `act` has edit(index) and copied(isCopied, rows). */
  constructor(root, selection, language, act) {
    Object.assign(this, { root, selection, language, act });
    selection.addEventListener("hover", () => this.#mark());
    selection.addEventListener("select", ({ detail }) => this.#mark(detail.origin !== "lines"));
  }

  /** Show page `number` of `item` as `form`: rows, paragraphs or tables. */
  show(item, number, form) {
    this.#item = item;
    const { reading } = item;
    const blocks = blocksOf(reading, number);
    const parts = form === "rows" ? [this.#rows(reading, number)] : blocks.map((block) => this.#block(block, reading.lines, form));
    const hasTable = blocks.some((block) => block.table);
    const note = form === "tables" && !hasTable ? element("p", { class: "hint" }, this.language.say("view.no-table")) : null;
    const view = element("div", { class: `text-view ${form}`, tabindex: "0", role: "region", "aria-label": this.language.say(`form.${form}`) }, note, ...parts);
    view.addEventListener("pointerover", (event) => this.selection.hover(indexOf(event)));
    view.addEventListener("pointerleave", () => this.selection.hover(null));
    view.addEventListener("click", (event) => {
      const index = indexOf(event);
      if (index !== null && getSelection().isCollapsed) this.selection.select(index, "lines");
    });
    view.addEventListener("dblclick", (event) => {
      const index = indexOf(event);
      if (index !== null) this.act.edit(index);
    });
    this.root.replaceChildren(view);
    this.#mark();
  }

  #rows(reading, number) {
    const write = (row) => element("div", { class: "text-row" }, ...row.flatMap(([spaces, index]) => [" ".repeat(spaces), this.#line(reading.lines[index].text, index)]));
    return element("div", { class: "text-rows" }, ...rowsOf(reading, number).map(write));
  }

  #block(block, lines, form) {
    if (block.table) return this.#table(block.table, lines, form);
    const tag = block.kind === "heading" ? "h3" : "p";
    const parts = paragraphsOf(block, lines).map((rows) => {
      const pieces = joints(rows.map((row) => row.map((index) => lines[index].text).join(" ")));
      return element(tag, { class: block.kind }, ...rows.flatMap((row, at) => this.#piece(row, pieces[at], lines)));
    });
    return element("div", { class: "text-block" }, ...parts);
  }

  /** The lines of one row of a paragraph, after what joins it to the row before. */
  #piece(row, [before, , isDivided], lines) {
    return row.flatMap((index, at) => {
      const { text } = lines[index];
      return [at ? " " : before, this.#line(isDivided && at === row.length - 1 ? text.trim().slice(0, -1) : text, index)];
    });
  }

  #table(table, lines, form) {
    const rows = Array.from({ length: table.row_count }, () => element("tr", {}));
    const covered = new Set();
    const begun = new Map(table.cells.map((cell) => [`${cell.row} ${cell.column}`, cell]));
    for (let row = 0; row < table.row_count; row += 1) {
      for (let column = 0; column < table.column_count; column += 1) {
        const cell = begun.get(`${row} ${column}`);
        if (cell) rows[row].append(this.#cell(cell, lines, covered));
        else if (!covered.has(`${row} ${column}`)) rows[row].append(element("td", {}));
      }
    }
    const shown = element("div", { class: "table-frame" }, element("table", {}, element("tbody", {}, ...rows)));
    if (form !== "tables") return shown;
    const copy = async () => this.act.copied(await copyTable(gridOf(table, lines)), table.row_count);
    return element("div", {}, element("button", { type: "button", class: "button small", onclick: copy }, icon("copy"), this.language.say("copy.table")), shown);
  }

  #cell(cell, lines, covered) {
    for (let row = cell.row; row < cell.row + cell.row_span; row += 1) {
      for (let column = cell.column; column < cell.column + cell.column_span; column += 1) covered.add(`${row} ${column}`);
    }
    const spans = { rowspan: cell.row_span > 1 ? cell.row_span : null, colspan: cell.column_span > 1 ? cell.column_span : null };
    return element("td", spans, ...cell.rows.flatMap((row) => row.flatMap((index, at) => [at ? " " : "", this.#line(lines[index].text, index)])));
  }

  #line(text, index) {
    return element("span", { class: "text-line", "data-line": index, lang: /[\u3400-\u9fff]/.test(text) ? "zh" : null }, text);
  }

  #mark(scrolls = false) {
    for (const line of this.root.querySelectorAll(".text-line")) {
      const index = Number(line.dataset.line);
      line.classList.toggle("hovered", index === this.selection.hovered);
      line.classList.toggle("selected", index === this.selection.selected);
      if (scrolls && index === this.selection.selected) line.scrollIntoView({ block: "nearest" });
    }
  }
}

function indexOf(event) {
  const line = event.target.closest?.(".text-line");
  return line ? Number(line.dataset.line) : null;
}
