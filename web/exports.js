/** Readings as the page writes them itself, and as the service is sent them to be written in its other formats. */

import { textOf } from "./text.js";

/** A reading as the API wrote it; corrected lines carry `corrected` and what was `read`. */
export function objectOf(reading, file = null) {
  const { blocks, ...rest } = reading;
  const lines = reading.lines.map((line) => {
    const { checked, read, ...plain } = cleared(line);
    if (read === undefined) return plain;
    const { alternatives, ...corrected } = plain;
    return { ...corrected, corrected: true, read };
  });
  const written = { ...(file === null ? {} : { file }), ...rest, text: textOf(reading), lines };
  return blocks ? { ...written, blocks: blocks.map((block) => withTexts(block, reading.lines)) } : written;
}

/** A reading with no more than what POST /api/render takes; of one page only, if `page` says which. */
export function sendable(reading, page = null) {
  const isWanted = (each) => page === null || each === page;
  const places = new Map();
  const lines = reading.lines.filter((line, index) => {
    if (isWanted(line.page)) places.set(index, places.size);
    return isWanted(line.page);
  });
  const moved = (rows) => rows.map((row) => row.map((index) => places.get(index)));
  const pages = reading.pages.filter(({ number }) => isWanted(number));
  return {
    lines: lines.map(({ text, polygon, page: number, confidence, needs_review: doubtful, source, characters }) => ({
      text,
      polygon,
      page: number,
      confidence,
      needs_review: doubtful,
      source,
      characters: characters?.map(({ text: sign, confidence: sure, start, end }) => ({ text: sign, confidence: sure, start, end })),
    })),
    pages,
    blocks: (reading.blocks ?? [])
      .filter((block) => isWanted(block.page))
      .map(({ kind, page: number, polygon, rows, table }) => ({
        kind,
        page: number,
        polygon,
        rows: moved(rows),
        ...(table ? { table: { ...table, cells: table.cells.map(({ text, ...cell }) => ({ ...cell, rows: moved(cell.rows) })) } } : {}),
      })),
    model: reading.model,
  };
}

/** One JSON object a line and file, refusals included. */
export function allJsonLines(items) {
  const write = ({ name, state, reading, problem }) => {
    if (state === "done") return objectOf(reading, name);
    const { slug, status, title, detail } = problem;
    return { file: name, error: { type: `/problems/${slug}`, title, status, detail } };
  };
  return items.map((item) => `${JSON.stringify(write(item))}\n`).join("");
}

/** Hand `content` to the browser as a file called `name`. */
export function save(name, content, type) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // some browsers fetch it only after a question to the user
}

/** `scan.pdf` with the suffix `.txt` is `scan.txt`; folders are left out. */
export function renamed(name, suffix) {
  const plain = name.split("/").pop();
  return (plain.replace(/\.[^.]{1,5}$/, "") || plain) + suffix;
}

/** Names as `named` has them, each once: the second `a.pdf` is `a (2).pdf`. */
export function unique(taken, name) {
  let free = name;
  for (let n = 2; taken.has(free.toLowerCase()); n += 1) free = name.replace(/(\.page\.xml|\.[^.]*)?$/, (suffix) => ` (${n})${suffix}`);
  taken.add(free.toLowerCase());
  return free;
}

/** Without what the page notes about single characters. */
function cleared(line) {
  if (!line.characters?.some((each) => each.checked)) return line;
  return { ...line, characters: line.characters.map(({ checked, ...plain }) => plain) };
}

/** A block with the texts of its cells as they are now. */
function withTexts(block, lines) {
  if (!block.table) return block;
  const cells = block.table.cells.map((cell) => ({ ...cell, text: cellText(cell, lines) }));
  return { ...block, table: { ...block.table, cells } };
}

/** The text of a cell, as the service has it unless one of its lines was corrected. */
export function cellText(cell, lines) {
  if (!cell.rows.flat().some((index) => lines[index].read !== undefined)) return cell.text;
  return cell.rows.map((row) => row.map((index) => lines[index].text).join(" ")).join(" ");
}
