/** The text of readings as rows, paragraphs and tables: what the service does for `layout`, with the corrections. */

import { cellText } from "./exports.js";

const WIDE = /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const LIST_ITEM = /^\s*(?:[-–—•·●○■□▪◦*✓➢]\s*|[(（]?\d{1,3}[.)）、．](?!\d)|[(（]?[一二三四五六七八九十]{1,3}[)）、．]|[(（]?[a-zA-Z][.)]\s)\s*\S/u;
const DIVIDED = /\p{L}{2,}-$/u;
const MIXED_SPACE = /[\u3400-\u9fff] [A-Za-z0-9]|[A-Za-z0-9] [\u3400-\u9fff]/;
const MOST_COLUMNS = 400; // of a row; a text beyond it is put after two spaces
const FULL_SHARE = 0.5; // least share of full rows in running text
const FULL = 0.85; // a row that reaches this share of its paragraph's width is full
const RUNNING_WIDTH = 13; // least width of running text, in line heights

const isWide = (sign) => WIDE.test(sign);
const first = (text) => String.fromCodePoint(text.codePointAt(0));
const last = (text) => [...text.slice(-2)].at(-1);
const isMark = (sign) => isWide(sign) && !/[\p{L}\p{N}]/u.test(sign);
const widthOf = (text) => [...text].reduce((sum, sign) => sum + (isWide(sign) ? 2 : 1), 0);

/** The blocks of a page; without any, one paragraph that has each line as a row. */
export function blocksOf(reading, page) {
  if (reading.blocks) return reading.blocks.filter((block) => block.page === page);
  const rows = reading.lines.flatMap((line, index) => (line.page === page ? [[index]] : []));
  return rows.length ? [{ kind: "paragraph", page, rows }] : [];
}

/** The rows of a page as they stand on it: lists of [spaces before, index of the line]. */
export function rowsOf(reading, page) {
  const rows = blocksOf(reading, page).flatMap(visualRows);
  const lines = rows.flat().map((index) => reading.lines[index]);
  if (!lines.length) return [];
  const along = direction(lines);
  const widths = lines.map((line) => lengthOf(line) / Math.max(1, widthOf(line.text))).sort((a, b) => a - b);
  const middle = widths.length >> 1;
  const width = Math.max(1e-6, widths.length % 2 ? widths[middle] : (widths[middle - 1] + widths[middle]) / 2);
  const left = Math.min(...lines.map((line) => startOf(line, along)));
  return rows.map((row) => {
    let used = 0;
    return row.map((index) => {
      const line = reading.lines[index];
      const column = Math.min(MOST_COLUMNS, Math.round((startOf(line, along) - left) / width));
      const spaces = Math.max(column - used, used ? 2 : 0);
      used += spaces + widthOf(line.text);
      return [spaces, index];
    });
  });
}

/** The paragraphs of a block: lists of rows, which are lists of indices of lines. */
export function paragraphsOf(block, lines) {
  const texts = block.rows.map((row) => row.map((index) => lines[index].text).join(" "));
  const along = direction(block.rows.flat().map((index) => lines[index]));
  const extents = block.rows.map((row, at) => {
    const places = row.flatMap((index) => lines[index].polygon.map(([x, y]) => x * along[0] + y * along[1]));
    const [start, end] = [Math.min(...places), Math.max(...places)];
    return { start, end, step: (end - start) / Math.max(1, texts[at].length) };
  });
  const right = Math.max(...extents.map(({ end }) => end));
  const width = right - Math.min(...extents.map(({ start }) => start));
  const full = extents.map(({ end, step }) => right - end <= Math.max((1 - FULL) * width, step * 2));
  const heights = block.rows.map(([index]) => Math.hypot(...minus(lines[index].polygon[0], lines[index].polygon[3])));
  const wide = width >= (RUNNING_WIDTH * heights.reduce((a, b) => a + b, 0)) / heights.length;
  const fullRows = full.slice(0, -1).filter(Boolean).length;
  const running = wide && texts.length > 1 && fullRows >= FULL_SHARE * (full.length - 1);
  const parts = [];
  block.rows.forEach((row, at) => {
    const goesOn = at > 0 && !LIST_ITEM.test(texts[at]) && running && fills(extents, texts, at, right);
    if (goesOn || (at > 0 && block.kind === "heading")) parts.at(-1).push(row);
    else parts.push([row]);
  });
  return parts;
}

/** Rows of one paragraph as pieces of text: [what comes before, text of the row, whether its last hyphen goes]. */
export function joints(texts) {
  const spaced = texts.some((text) => MIXED_SPACE.test(text));
  let before = "";
  return texts.map((whole, at) => {
    const text = whole.trim();
    const piece = ["", text, false];
    if (before && text) piece[0] = between(before, text, spaced);
    const next = texts[at + 1]?.trim() ?? "";
    if (DIVIDED.test(text.slice(-4)) && next && isLower(next)) piece[2] = true;
    before = text || before;
    return piece;
  });
}

/** The text of a page, or of all, in one of the forms rows, paragraphs or tables. */
export function formedText(reading, form, page = null) {
  const numbers = reading.pages.map(({ number }) => number).filter((number) => page === null || number === page);
  if (form === "rows") {
    const write = (row) => row.map(([spaces, index]) => " ".repeat(spaces) + reading.lines[index].text).join("");
    return numbers.flatMap((number) => rowsOf(reading, number).map(write)).join("\n");
  }
  const blocks = numbers.flatMap((number) => blocksOf(reading, number));
  return blocks.map((block) => (block.table ? tableText(block.table, reading.lines) : blockText(block, reading.lines))).join("\n\n");
}

/** A table as rows of the texts of its places; a cell that spans has its text at its top left. */
export function gridOf(table, lines) {
  const texts = Array.from({ length: table.row_count }, () => Array(table.column_count).fill(""));
  for (const cell of table.cells) texts[cell.row][cell.column] = cellText(cell, lines);
  return texts;
}

/** Tables, or without any the rows of text, as a spreadsheet takes them from the clipboard: lists of lists. */
export function sheetOf(reading, page) {
  const tables = blocksOf(reading, page).filter((block) => block.table);
  if (tables.length) return tables.flatMap(({ table }, at) => [...(at ? [[]] : []), ...gridOf(table, reading.lines)]);
  return rowsOf(reading, page).map((row) => row.map(([, index]) => reading.lines[index].text));
}

function blockText(block, lines) {
  const write = (rows) =>
    joints(rows.map((row) => row.map((index) => lines[index].text).join(" ")))
      .map(([before, text, isDivided]) => before + (isDivided ? text.slice(0, -1) : text))
      .join("");
  return paragraphsOf(block, lines).map(write).join("\n");
}

function tableText(table, lines) {
  return gridOf(table, lines).map((row) => row.join("\t")).join("\n");
}

function visualRows(block) {
  if (!block.table) return block.rows;
  const rows = [];
  for (let number = 0; number < block.table.row_count; number += 1) {
    const cells = block.table.cells.filter((cell) => cell.row === number && cell.rows.length);
    const depth = Math.max(0, ...cells.map((cell) => cell.rows.length));
    for (let at = 0; at < depth; at += 1) rows.push(cells.flatMap((cell) => cell.rows[at] ?? []));
  }
  return rows;
}

function between(before, text, spaced) {
  const [end, begin] = [last(before), first(text)];
  if (DIVIDED.test(before.slice(-4)) && isLower(text)) return "";
  if (isWide(end) && isWide(begin)) return "";
  if ((isWide(end) || isWide(begin)) && !spaced) return isMark(end) || isMark(begin) ? "" : " ";
  return " ";
}

function isLower(text) {
  return /^\p{Ll}/u.test(text);
}

function fills(extents, texts, at, right) {
  if (DIVIDED.test(texts[at - 1].slice(-4))) return true;
  let [word] = texts[at].split(" ");
  if (word && isWide(first(word))) word = word.slice(0, 2);
  return right - extents[at - 1].end <= Math.max(2.5, word.length + 1.5) * extents[at].step;
}

function direction(lines) {
  let best = [1, 0];
  let longest = 0;
  for (const { polygon } of lines) {
    const [x, y] = minus(polygon[1], polygon[0]);
    const length = Math.hypot(x, y);
    if (length > longest) [longest, best] = [length, [x / length, y / length]];
  }
  return best;
}

function startOf(line, [x, y]) {
  return Math.min(...line.polygon.map((point) => point[0] * x + point[1] * y));
}

function lengthOf({ polygon }) {
  return Math.hypot(...minus(polygon[1], polygon[0]));
}

function minus(a, b) {
  return [a[0] - b[0], a[1] - b[1]];
}
