/** The text of readings, a line each: what is copied. */

/** The text of a reading, or of one of its pages. */
export function textOf(reading, page = null) {
  return reading.lines.filter((line) => page === null || line.page === page).map((line) => line.text).join("\n");
}

/** The texts of many files, each below its name. */
export function allText(items) {
  const read = items.filter((item) => item.state === "done");
  return read.map((item) => `=== ${item.name} ===\n${textOf(item.reading)}\n`).join("\n");
}
