/** Puts the readings of pages together: those that come while a document is read, and one that is read again. */

import { textOf } from "./text.js";

/** `reading` (or null) with the pages of `records`, as the service's JSON Lines have them, added. Lines that are there stay. */
export function gathered(reading, records) {
  const have = new Set([...(reading?.pages ?? []).map((page) => page.number), ...(reading?.page_errors ?? []).map(({ page }) => page)]);
  const fresh = records.filter(({ page }) => page !== undefined && !have.has(page));
  const read = fresh.filter((record) => !record.error);
  const parts = [reading, ...read].filter(Boolean);
  return {
    ...assembled(parts.flatMap((part) => part.pages), new Map(parts.flatMap((part) => [...byPage(part)]))),
    model: reading?.model ?? read[0]?.model,
    page_errors: [...(reading?.page_errors ?? []), ...fresh.filter(({ error }) => error).map(({ page, error }) => ({ page, error }))],
  };
}

/** The whole reading `result`, with the lines that were on show before it came: a person may have corrected them. */
export function settled(before, result) {
  if (!before) return result;
  const shown = byPage(before);
  const read = byPage(result);
  const merged = new Map(
    [...read].map(([number, part]) => {
      const lines = shown.get(number)?.lines ?? part.lines;
      return [number, { lines, blocks: lines.length === part.lines.length ? part.blocks : null }];
    }),
  );
  return { ...result, ...assembled(result.pages, merged) };
}

/** `reading` with page `number` as it is in `again`. */
export function replaced(reading, number, again) {
  const page = again.pages.find((each) => each.number === number) ?? again.pages[0];
  const { lines, blocks } = byPage(again).get(page.number);
  const own = (each) => ({ ...each, page: number });
  const parts = byPage(reading).set(number, { lines: lines.map(own), blocks: blocks?.map(own) });
  const pages = reading.pages.map((each) => (each.number === number ? { ...page, number } : each));
  return { ...reading, ...assembled(pages, parts) };
}

/** Number of a page -> its lines, and its blocks (null without any), which name lines by their places on the page. */
function byPage(reading) {
  const parts = new Map(reading.pages.map(({ number }) => [number, { lines: [], blocks: reading.blocks ? [] : null }]));
  const places = reading.lines.map((line) => parts.get(line.page).lines.push(line) - 1);
  for (const block of reading.blocks ?? []) parts.get(block.page).blocks.push(moved(block, (index) => places[index]));
  return parts;
}

function assembled(pages, parts) {
  const lines = [];
  const blocks = [];
  let isStructured = true;
  for (const { number } of pages) {
    const part = parts.get(number);
    const first = lines.length;
    lines.push(...part.lines);
    if (part.blocks) blocks.push(...part.blocks.map((block) => moved(block, (index) => first + index)));
    else isStructured = false;
  }
  return { pages, lines, text: textOf({ lines }), blocks: isStructured ? blocks : undefined };
}

function moved(block, place) {
  const rows = (all) => all.map((row) => row.map(place));
  const table = block.table && { ...block.table, cells: block.table.cells.map((cell) => ({ ...cell, rows: rows(cell.rows) })) };
  return { ...block, lines: block.lines.map(place), rows: rows(block.rows), ...(table ? { table } : {}) };
}
