/** A template of forms while it is drawn: areas on the upright page, and the JSON of `ocrsvc extract` and the API. */

const STORED = "ocrsvc.template"; // in localStorage: places and names, nothing of a document
const DIGITS = 5; // of a fraction of the page: finer than a pixel of any scan
export const TYPES = ["", "date", "amount", "id_card", "credit_code", "bank_card", "plate", "phone", "invoice_number"];
const KINDS = { region: "regions", anchor: "anchors", ignore: "ignore" };

/** Dispatches "change". An area is {kind, box: [left, top, right, bottom] in fractions, page or null, name, type, text, rest}. */
export class Template extends EventTarget {
  constructor() {
    super();
    this.areas = [];
    this.rest = {}; // members of a file that the editor has no field for
    this.selected = null;
    try {
      this.read(localStorage.getItem(STORED) || "{}");
    } catch {
      // Then it begins empty.
    }
  }

  get regions() {
    return this.areas.filter(({ kind }) => kind === "region");
  }

  /** Add an area and choose it. */
  add(kind, box, page, members = {}) {
    const area = { kind, box: box.map(clamped), page, name: "", type: "", text: "", rest: {}, ...members };
    if (kind === "region" && !area.name) area.name = this.#freeName();
    this.areas.push(area);
    this.select(area);
  }

  remove(area) {
    this.areas = this.areas.filter((each) => each !== area);
    if (this.selected === area) this.selected = null;
    this.changed();
  }

  select(area) {
    this.selected = area;
    this.changed();
  }

  clear() {
    this.areas = [];
    this.rest = {};
    this.selected = null;
    this.changed();
  }

  /** To be called after an area has been changed; `typed`: only what stands in its fields, which need not be built anew. */
  changed(typed = false) {
    try {
      localStorage.setItem(STORED, JSON.stringify(this.written));
    } catch {
      // Then it lasts as long as the page.
    }
    this.dispatchEvent(new CustomEvent("change", { detail: { typed } }));
  }

  /** What is wrong with it, as a key of the page's words, or "". */
  get fault() {
    const names = this.regions.map(({ name, page }) => `${name} ${page}`);
    if (!names.length) return "template.no-region";
    if (this.regions.some(({ name }) => !name.trim())) return "template.no-name";
    if (new Set(names).size < names.length) return "template.same-name";
    if (this.areas.some(({ kind, text }) => kind === "anchor" && !text.trim())) return "template.no-text";
    return "";
  }

  /** As an object: a template if it has anchors, or else what `ocrsvc read --regions` takes. */
  get written() {
    const lists = { anchors: [], regions: [], ignore: [] };
    for (const area of this.areas) lists[KINDS[area.kind]].push(writtenArea(area));
    if (!lists.anchors.length) return { regions: lists.regions, ...(lists.ignore.length ? { ignore: lists.ignore } : {}) };
    return { ...this.rest, ...lists };
  }

  /** The parameters of a request. */
  get parameters() {
    const written = this.written;
    if (written.anchors) return { template: JSON.stringify(written) };
    return { regions: JSON.stringify(written.regions), ...(written.ignore ? { ignore: JSON.stringify(written.ignore) } : {}) };
  }

  /** Take the text of a file. Raises an Error if it is no template. */
  read(text) {
    let given = JSON.parse(text.replace(/^\ufeff/, ""));
    if (Array.isArray(given)) given = { regions: given };
    const { anchors = [], regions = [], ignore = [], page = null, ...rest } = given;
    const take = (kind, list) => list.map((each) => readArea(kind, each, page));
    this.areas = [...take("anchor", anchors), ...take("region", regions), ...take("ignore", ignore)];
    this.rest = rest;
    this.selected = null;
    this.changed();
  }

  #freeName() {
    const taken = new Set(this.areas.map(({ name }) => name));
    let number = this.regions.length + 1;
    while (taken.has(`field${number}`)) number += 1;
    return `field${number}`;
  }
}

function writtenArea({ kind, box, page, name, type, text, rest }) {
  const area = { ...rest, box: box.map((each) => Number(each.toFixed(DIGITS))) };
  if (page) area.page = page;
  if (kind === "anchor") return { text: text.trim(), ...area };
  if (kind === "ignore") return area;
  return { name: name.trim(), ...area, ...(type ? { type } : {}) };
}

function readArea(kind, { box, polygon, unit = "fraction", page = null, name = "", type = "", text = "", ...rest }, size) {
  const corners = polygon ?? [[box[0], box[1]], [box[2], box[3]]];
  const [across, down] = unit === "pixel" ? [size.width, size.height] : [1, 1];
  const xs = corners.map(([x]) => x / across);
  const ys = corners.map(([, y]) => y / down);
  const bounds = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  if (!bounds.every(Number.isFinite)) throw new Error("no box");
  return { kind, box: bounds, page, name, type: type ?? "", text, rest };
}

export function clamped(share) {
  return Math.min(1, Math.max(0, share));
}
