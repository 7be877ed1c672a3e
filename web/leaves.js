/** The pages of one document as pictures. Only a few are drawn at any time: the one on show first, then thumbnails. */

import { isPdf } from "./kinds.js";

const MOST_DRAWN = 4; // the page on show, its neighbours and the one before, at most 48 MB each
const MOST_PIXELS = 12e6; // of one drawn page: what phones still keep
const LEAST_WIDTH = 1000; // so that a cut-out line can be read, however small the page is shown

/** `state`: closed, opening, open, or failed with `needsPassword` or not. Dispatches "change" when it has changed. */
export class Leaves extends EventTarget {
  #opened = null;
  #drawn = new Map(); // number -> canvas; the one asked for last is at the end
  #sizes = new Map();
  #waiting = [];
  #busy = false;
  #attempt = 0;

  constructor(file) {
    super();
    this.file = file;
    this.state = "closed";
    this.needsPassword = false;
    this.count = 0;
  }

  /** Open the document, unless that has been tried. */
  async open(password = "") {
    if (this.state !== "closed") return;
    this.state = "opening";
    this.#attempt += 1;
    const attempt = this.#attempt;
    try {
      const open = isPdf(this.file) ? (await import("./pdf.js")).openPdf : (await import("./tiff.js")).openTiff;
      const opened = await open(this.file, password);
      const size = await opened.size(1);
      if (attempt !== this.#attempt) {
        opened.close(); // forgotten in the meantime
        return;
      }
      this.#opened = opened;
      this.count = opened.count;
      this.#sizes.set(1, size);
      this.state = "open";
    } catch (error) {
      if (attempt !== this.#attempt) return;
      this.state = "failed";
      this.needsPassword = error.name === "PasswordException";
    }
    this.dispatchEvent(new Event("change"));
  }

  /** The size of a page, by which it can be laid out; the first page's until its own is known. */
  sizeOf(number) {
    return this.#sizes.get(number) ?? this.#sizes.get(1) ?? null;
  }

  /** The canvas of a page that is drawn already, or null. */
  drawn(number) {
    return this.#drawn.get(number) ?? null;
  }

  /** The width at which a page is drawn if it is to be shown `wanted` pixels wide. */
  widthFor(number, wanted) {
    const { width, height } = this.sizeOf(number);
    return Math.round(Math.min(Math.max(wanted, LEAST_WIDTH), Math.sqrt((MOST_PIXELS * width) / height)));
  }

  /** Draw a page, `wanted` pixels wide, before all that waits. `isWanted()` is asked before it begins: null if not. */
  draw(number, wanted, isWanted) {
    return this.#queued(async () => {
      const opened = this.#opened;
      const kept = this.#drawn.get(number);
      if (kept && kept.asked >= this.widthFor(number, wanted)) return this.#keep(number, kept);
      this.#sizes.set(number, await opened.size(number));
      const asked = this.widthFor(number, wanted);
      const canvas = Object.assign(await opened.draw(number, asked), { asked });
      return opened === this.#opened ? this.#keep(number, canvas) : canvas; // before the next one begins, which may want it, too
    }, isWanted, true);
  }

  /** Draw a page small, when nothing more important waits. */
  thumbnail(number, width, isWanted) {
    return this.#queued(() => this.#opened.draw(number, width), isWanted, false);
  }

  close() {
    this.#attempt += 1;
    this.state = "closed";
    this.needsPassword = false;
    this.#opened?.close();
    this.#opened = null;
    for (const canvas of this.#drawn.values()) release(canvas);
    this.#drawn.clear();
    for (const { resolve } of this.#waiting) resolve(null);
    this.#waiting = [];
    this.#busy = false;
  }

  #keep(number, canvas) {
    const before = this.#drawn.get(number);
    if (before && before !== canvas) release(before);
    this.#drawn.delete(number);
    this.#drawn.set(number, canvas);
    for (const [other, old] of this.#drawn) {
      if (this.#drawn.size <= MOST_DRAWN) break;
      this.#drawn.delete(other);
      release(old);
    }
    return canvas;
  }

  /** One thing at a time, so that pages that have been left do not hold up the one on show. */
  #queued(work, isWanted, first) {
    return new Promise((resolve, reject) => {
      const task = { work, isWanted, resolve, reject, first };
      const at = first ? this.#waiting.findIndex((each) => !each.first) : -1;
      if (at < 0) this.#waiting.push(task);
      else this.#waiting.splice(at, 0, task);
      this.#next();
    });
  }

  async #next() {
    if (this.#busy || !this.#opened) return;
    const task = this.#waiting.shift();
    if (!task) return;
    const opened = this.#opened;
    this.#busy = true;
    try {
      task.resolve(task.isWanted() ? await task.work() : null);
    } catch (error) {
      task.reject(error);
    }
    if (opened !== this.#opened) return; // closed, or another one opened
    this.#busy = false;
    this.#next();
  }
}

/** Give a canvas's memory back at once: browsers are slow to collect them. */
export function release(canvas) {
  canvas.width = 0;
  canvas.height = 0;
}
