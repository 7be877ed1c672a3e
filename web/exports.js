/** Writes readings down as the service and the command line do, with the corrections that were made on the page. */

const TSV_COLUMNS = ["level", "page_num", "block_num", "par_num", "line_num", "word_num", "left", "top", "width", "height", "conf", "text"];

/** The text of a reading, or of one of its pages, a line each. */
export function textOf(reading, page = null) {
  return reading.lines.filter((line) => page === null || line.page === page).map((line) => line.text).join("\n");
}

/** A reading as the API wrote it; corrected lines carry `corrected` and what was `read`. */
export function objectOf(reading, file = null) {
  const lines = reading.lines.map(({ checked, read, ...line }) => (read === undefined ? line : { ...line, corrected: true, read }));
  return { ...(file === null ? {} : { file }), ...reading, text: textOf(reading), lines };
}

/** Tesseract's twelve columns, as in the service's format "tsv". */
export function tsvOf(reading) {
  const rows = [TSV_COLUMNS.join("\t")];
  for (const page of reading.pages) {
    rows.push(row(1, [page.number, 0, 0, 0, 0], [0, 0, page.width, page.height]));
    reading.lines.filter((line) => line.page === page.number).forEach((line, at) => {
      const place = [page.number, 1, 1, at + 1];
      rows.push(row(4, [...place, 0], boxOf(line.polygon)));
      wordsOf(line).forEach((word, number) => {
        rows.push(row(5, [...place, number + 1], boxOf(part(line.polygon, word.start, word.end)), word.confidence * 100, word.text));
      });
    });
  }
  return `${rows.join("\n")}\n`;
}

/** The texts of many files, each below its name. */
export function allText(items) {
  const read = items.filter((item) => item.state === "done");
  return read.map((item) => `=== ${item.name} ===\n${textOf(item.reading)}\n`).join("\n");
}

/** One JSON object a line and file, as `ocrsvc read --format jsonl` writes them, refusals included. */
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

function row(level, place, box, confidence = -1, text = "") {
  return [level, ...place, ...box, confidence < 0 ? "-1" : confidence.toFixed(2), text.replace(/[\t\n\r]/g, " ")].join("\t");
}

function wordsOf(line) {
  if (!line.characters?.length) {
    const text = line.text.trim();
    return text ? [{ text, confidence: line.confidence, start: 0, end: 1 }] : [];
  }
  const words = [];
  let run = [];
  for (const character of [...line.characters, { text: " " }]) {
    if (character.text.trim()) {
      run.push(character);
    } else if (run.length) {
      const confidence = run.reduce((sum, each) => sum + each.confidence, 0) / run.length;
      words.push({ text: run.map((each) => each.text).join(""), confidence, start: run[0].start, end: run.at(-1).end });
      run = [];
    }
  }
  return words;
}

function part([topLeft, topRight, bottomRight, bottomLeft], start, end) {
  const between = (a, b, share) => [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share];
  return [
    between(topLeft, topRight, start),
    between(topLeft, topRight, end),
    between(bottomLeft, bottomRight, end),
    between(bottomLeft, bottomRight, start),
  ];
}

function boxOf(polygon) {
  const xs = polygon.map((point) => point[0]);
  const ys = polygon.map((point) => point[1]);
  const [left, top] = [Math.round(Math.min(...xs)), Math.round(Math.min(...ys))];
  return [left, top, Math.round(Math.max(...xs)) - left, Math.round(Math.max(...ys)) - top];
}
