/** Turns the page on show a quarter further, and reads it again; text that a PDF says itself is only shown turned. */

import { titleOf } from "./refusal.js";

/** Turn page `number` of `item`, shown at `angle`. `page` has queue, language and voice; resolves to whether only the view changed. */
export async function turnPage(item, number, angle, { queue, language, voice }) {
  const further = (angle + 90) % 360;
  const here = item.reading.lines.filter((line) => line.page === number);
  if (here.length && here.every((line) => line.source === "pdf_text")) {
    item.views.set(number, further);
    return true;
  }
  if (here.some((line) => line.checked) && !confirm(language.say("turn.lose"))) return false;
  try {
    await queue.turn(item, number, further);
  } catch (problem) {
    voice.toast([titleOf(problem, language), problem.detail].filter(Boolean).join(": "));
  }
  return false;
}
