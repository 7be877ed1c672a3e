/** Puts the readings of pages together: those that come while a document is read, and one that is read again. */

import { textOf } from "./exports.js";

/** `reading` (or null) with the pages of `records`, as the service's JSON Lines have them, added. Lines that are there stay. */
export function gathered(reading, records) {
  const have = new Set([...(reading?.pages ?? []).map((page) => page.number), ...(reading?.page_errors ?? []).map(({ page }) => page)]);
  const fresh = records.filter(({ page }) => page !== undefined && !have.has(page));
  const read = fresh.filter((record) => !record.error);
  return {
    model: reading?.model ?? read[0]?.model,
    pages: [...(reading?.pages ?? []), ...read.flatMap((record) => record.pages)],
    lines: [...(reading?.lines ?? []), ...read.flatMap((record) => record.lines)],
    page_errors: [...(reading?.page_errors ?? []), ...fresh.filter(({ error }) => error).map(({ page, error }) => ({ page, error }))],
  };
}

/** The whole reading `result`, with the lines that were on show before it came: a person may have corrected them. */
export function settled(before, result) {
  if (!before) return result;
  const shown = new Map(before.pages.map(({ number }) => [number, before.lines.filter((line) => line.page === number)]));
  return withPages(result, (number) => shown.get(number));
}

/** `reading` with page `number` as it is in `again`. */
export function replaced(reading, number, again) {
  const page = again.pages.find((each) => each.number === number) ?? again.pages[0];
  const lines = again.lines.map((line) => ({ ...line, page: number }));
  const pages = reading.pages.map((each) => (each.number === number ? { ...page, number } : each));
  return withPages({ ...reading, pages }, (each) => (each === number ? lines : undefined));
}

function withPages(reading, linesOf) {
  const lines = reading.pages.flatMap(({ number }) => linesOf(number) ?? reading.lines.filter((line) => line.page === number));
  return { ...reading, lines, text: textOf({ lines }) };
}
