/** A page as two models read it, side by side: what differs is marked, and the other text can be taken. */

import { element, icon } from "./element.js";
import { readAny } from "./jobs.js";
import { titleOf } from "./refusal.js";

const LEAST_OVERLAP = 0.3; // of two boxes, of what they cover together, to be the same line

export class Compare {
  #readings = new WeakMap(); // item -> model -> reading
  #abort = null;
  #model = "";

  /** `root` is the element to fill; `act` has take(line, text). */
  constructor(root, options, selection, language, act) {
    Object.assign(this, { root, options, selection, language, act });
  }

  /** Show page `number` of `item`, and read the file with the other model if that has not been done. */
  show(item, number) {
    const mine = item.reading.model?.name ?? "";
    const others = this.options.offered.models.filter((name) => name !== mine);
    if (!others.includes(this.#model)) [this.#model] = others;
    const say = (key, values) => this.language.say(key, values);
    if (!others.length) {
      this.root.replaceChildren(element("p", { class: "text-view hint" }, say("compare.one")));
      return;
    }
    const choice = element("select", { id: "compare-model", "aria-label": say("compare.model") }, ...others.map((name) => element("option", { value: name, selected: name === this.#model }, name)));
    choice.addEventListener("change", () => {
      this.#model = choice.value;
      this.show(item, number);
    });
    const status = element("p", { class: "hint", role: "status" });
    const body = element("tbody", {});
    const heads = element("tr", {}, element("th", { scope: "col" }, mine), element("th", { scope: "col" }, choice), element("th", { scope: "col" }, element("span", { class: "sr-only" }, say("compare.take"))));
    const view = element("div", { class: "text-view compare" }, status, element("table", {}, element("thead", {}, heads), body));
    this.root.replaceChildren(view);
    const found = this.#readings.get(item)?.get(this.#model);
    if (found) this.#fill(body, status, item, number, found);
    else this.#read(item, number, body, status);
  }

  async #read(item, number, body, status) {
    const model = this.#model;
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    status.textContent = this.language.say("compare.reading", { name: model });
    try {
      const reading = await readAny({ ...item, jobId: null, choices: { ...item.choices, model } }, abort.signal, () => {});
      const known = this.#readings.get(item) ?? new Map();
      this.#readings.set(item, known.set(model, reading));
      if (status.isConnected) this.#fill(body, status, item, number, reading);
    } catch (problem) {
      if (problem.name !== "AbortError") status.textContent = [titleOf(problem, this.language), problem.detail].filter(Boolean).join(": ");
    }
  }

  #fill(body, status, item, number, other) {
    const theirs = new Set(other.lines.filter((line) => line.page === number));
    const rows = item.reading.lines.flatMap((line, index) => {
      if (line.page !== number) return [];
      const match = best(line, theirs);
      theirs.delete(match);
      return [{ line, index, match }];
    });
    for (const match of theirs) rows.push({ line: null, index: null, match });
    const different = rows.filter(({ line, match }) => line?.text !== match?.text).length;
    status.textContent = this.language.count("compare.different", different, { total: rows.length });
    body.replaceChildren(...rows.map((row) => this.#row(row)));
  }

  #row({ line, index, match }) {
    const isDifferent = line?.text !== match?.text;
    const [mine, theirs] = isDifferent && line && match ? marked(line.text, match.text) : [[line?.text ?? ""], [match?.text ?? ""]];
    const label = this.language.say("compare.take");
    const take = isDifferent && line && match ? element("button", { type: "button", class: "tool", title: label, "aria-label": label, onclick: () => this.act.take(line, match.text) }, icon("left")) : "";
    const row = element("tr", { class: isDifferent ? "different" : "" }, element("td", {}, ...mine), element("td", {}, ...theirs), element("td", {}, take));
    row.addEventListener("click", () => index !== null && this.selection.select(index, "lines"));
    return row;
  }
}

/** The line that overlaps most, or undefined. */
function best(line, others) {
  const own = bounds(line);
  let found;
  let most = LEAST_OVERLAP;
  for (const other of others) {
    const share = overlap(own, bounds(other));
    if (share > most) [most, found] = [share, other];
  }
  return found;
}

function bounds({ polygon }) {
  const [xs, ys] = [polygon.map(([x]) => x), polygon.map(([, y]) => y)];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

function overlap(a, b) {
  const across = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const down = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (across <= 0 || down <= 0) return 0;
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  return (across * down) / (area(a) + area(b) - across * down);
}

/** Two texts as pieces in which what the other has not is marked: what the longest common subsequence leaves. */
function marked(one, two) {
  const [a, b] = [[...one], [...two]];
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) lengths[i][j] = a[i] === b[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
  }
  const pieces = [[], []];
  const push = (side, sign, isOwn) => {
    const last = pieces[side].at(-1);
    if (last?.isOwn === isOwn) last.text += sign;
    else pieces[side].push({ text: sign, isOwn });
  };
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      push(0, a[i++], false);
      push(1, b[j++], false);
    } else if (j >= b.length || (i < a.length && lengths[i + 1][j] >= lengths[i][j + 1])) push(0, a[i++], true);
    else push(1, b[j++], true);
  }
  return pieces.map((side) => side.map(({ text, isOwn }) => (isOwn ? element("mark", {}, text) : text)));
}
