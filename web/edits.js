/** Corrections of lines: made, taken back and made again; dispatches "change" with the item as `detail`. */

import { isSpelt } from "./doubts.js";

const KEPT = ["text", "characters", "alternatives", "checked", "read"]; // of a line, what a correction may change

export class Edits extends EventTarget {
  /** Write another text into a line of `item`, or confirm the one that is there. */
  correct(item, line, text) {
    this.#change(item, line, (changed) => {
      if (text !== line.text) rewrite(changed, text, respelt(line, text));
      changed.checked = true;
    });
  }

  /** Put `text` in the place of character `at`; the line stays doubtful if another one is. */
  choose(item, line, at, text) {
    this.#change(item, line, (changed) => {
      const characters = line.characters.map((each, place) => (place === at ? { ...each, text, checked: true } : each));
      if (text !== line.characters[at].text) rewrite(changed, characters.map((each) => each.text).join(""), characters);
      else changed.characters = characters;
      if (characters.every((each) => each.checked || each.confidence >= 1)) changed.checked = true;
    });
  }

  /** Take the last correction of `item` back; returns its line, or null. */
  undo(item) {
    return this.#move(item, "done", "undone", "before");
  }

  /** Make the correction again that was taken back last; returns its line, or null. */
  redo(item) {
    return this.#move(item, "undone", "done", "after");
  }

  #change(item, line, write) {
    const before = stateOf(line);
    const after = { ...before };
    write(after);
    if (JSON.stringify(after) === JSON.stringify(before)) return;
    setState(line, after);
    item.done.push({ line, before, after });
    item.undone = [];
    this.dispatchEvent(new CustomEvent("change", { detail: item }));
  }

  #move(item, from, to, state) {
    const present = new Set(item?.reading?.lines);
    while (item?.[from].length) {
      const step = item[from].pop();
      if (!present.has(step.line)) continue; // its page has been read again
      setState(step.line, step[state]);
      item[to].push(step);
      this.dispatchEvent(new CustomEvent("change", { detail: item }));
      return step.line;
    }
    return null;
  }
}

/** How many lines of `item` a person has corrected or confirmed. */
export function countEdits(item) {
  return (item.reading?.lines ?? []).filter(isEdited).length;
}

/** The corrections of `item`, as `applied` takes them: by page and place on it, so that they outlive a new reading. */
export function editsOf(item) {
  const places = new Map();
  return (item.reading?.lines ?? []).flatMap((line) => {
    const place = places.get(line.page) ?? 0;
    places.set(line.page, place + 1);
    if (!isEdited(line)) return [];
    return [{ page: line.page, place, was: line.read ?? line.text, state: stateOf(line) }];
  });
}

/** Put `edits` into those lines of `reading` that still say what they said before they were corrected. */
export function applied(reading, edits) {
  const places = new Map();
  const wanted = new Map((edits ?? []).map((edit) => [`${edit.page} ${edit.place}`, edit]));
  for (const line of reading.lines) {
    const place = places.get(line.page) ?? 0;
    places.set(line.page, place + 1);
    const edit = wanted.get(`${line.page} ${place}`);
    if (edit?.was === line.text) setState(line, edit.state);
  }
  return reading;
}

function isEdited(line) {
  return Boolean(line.checked || line.read !== undefined || line.characters?.some((each) => each.checked));
}

function stateOf(line) {
  return Object.fromEntries(KEPT.filter((name) => line[name] !== undefined).map((name) => [name, line[name]]));
}

function setState(line, state) {
  for (const name of KEPT) delete line[name];
  Object.assign(line, state);
}

function rewrite(changed, text, characters) {
  changed.read ??= changed.text;
  changed.text = text;
  if (changed.read === text) delete changed.read; // as it was read, after all
  delete changed.alternatives;
  if (characters) changed.characters = characters;
  else delete changed.characters;
}

/** The characters of a corrected line: those that stay keep their place, those between share what is left; or null. */
function respelt(line, text) {
  if (!isSpelt(line)) return null;
  const old = line.characters;
  const signs = [...new Intl.Segmenter().segment(text)].map(({ segment }) => segment);
  const most = Math.min(old.length, signs.length);
  let head = 0;
  while (head < most && old[head].text === signs[head]) head += 1;
  let tail = 0;
  while (tail < most - head && old.at(-1 - tail).text === signs.at(-1 - tail)) tail += 1;
  const fresh = signs.slice(head, signs.length - tail);
  const start = head ? old[head - 1].end : (old[0]?.start ?? 0);
  const end = tail ? old[old.length - tail].start : (old.at(-1)?.end ?? 1);
  const step = Math.max(0, end - start) / Math.max(1, fresh.length);
  const placed = fresh.map((sign, at) => ({ text: sign, confidence: 1, start: start + at * step, end: start + (at + 1) * step, checked: true }));
  return [...old.slice(0, head), ...placed, ...old.slice(old.length - tail)];
}
