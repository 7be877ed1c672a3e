/** Corrected lines as labelled data for `ocrsvc train finetune`: cut-out pictures and a table of their texts. */

import { zipOf } from "./archive.js";
import { uprightLine } from "./crop.js";

const MOST_HEIGHT = 96; // pixels of a cut-out line: twice what the models take
const PAGE_WIDTH = 2400; // of a document's page that is drawn to be cut

/** A ZIP of all lines that a person has corrected or confirmed in `items`, or null if there are none. */
export async function labelledLines(items) {
  const rows = [];
  const pictures = [];
  for (const item of items) {
    const wanted = item.reading.lines.filter((line) => line.checked && line.text.trim() && line.source !== "pdf_text");
    for (const page of item.reading.pages) {
      const lines = wanted.filter((line) => line.page === page.number);
      const image = lines.length ? await pictureOf(item, page.number).catch(() => null) : null;
      if (!image) continue;
      for (const line of lines) {
        const file = `img/${String(rows.length + 1).padStart(4, "0")}.png`;
        const content = await blobOf(uprightLine(image, page, line.polygon, MOST_HEIGHT));
        if (!content) continue;
        pictures.push([file, content]);
        rows.push(JSON.stringify({ file, text: line.text }));
      }
    }
  }
  return rows.length ? zipOf([["lines.jsonl", `${rows.join("\n")}\n`], ...pictures]) : null;
}

async function pictureOf(item, number) {
  if (!item.leaves) {
    const image = new Image();
    image.src = item.url;
    await image.decode();
    return image;
  }
  if (item.leaves.state === "closed") await item.leaves.open(item.password);
  return item.leaves.state === "open" ? item.leaves.draw(number, PAGE_WIDTH, () => true) : null;
}

function blobOf(canvas) {
  return new Promise((resolve) => (canvas ? canvas.toBlob(resolve, "image/png") : resolve(null)));
}
