/** Documents that have been read, with their corrections, kept in this browser and nowhere else until they are erased. */

import { applied, editsOf } from "./edits.js";
import { identifier, Visits } from "./visits.js";
import { createStore, delMany, get, getMany, keys, setMany } from "./vendor/idb-keyval-6.3.0/index.js";

const DATABASE = "ocrsvc.history";
const SETTING = "ocrsvc.history"; // in localStorage: "off" if nothing is to be kept
const RESCUED = "ocrsvc.rescued"; // in localStorage: corrections of the last moment, which IndexedDB would lose
const PARTS = ["about", "file", "reading", "edits"];
const MOST_DOCUMENTS = 100;
const OLDEST_MS = 30 * 24 * 3600_000;
const PAUSE_MS = 250; // after a correction, before it is written

export class History {
  #store = null;
  #written = new WeakMap(); // item -> the reading that is kept
  #dirty = new Set(); // items with corrections that are not written yet
  #clock = 0;
  #hasFailed = false;

  /** `miss()` is called if the browser has no room. */
  constructor(queue, edits, miss) {
    Object.assign(this, { queue, miss });
    this.visits = new Visits(() => queue.items.map((item) => item.kept).filter(Boolean));
    queue.addEventListener("change", ({ detail: item }) => item?.state === "done" && this.#keep(item));
    edits.addEventListener("change", ({ detail: item }) => {
      this.#dirty.add(item);
      clearTimeout(this.#clock);
      this.#clock = setTimeout(() => this.flush(), PAUSE_MS);
    });
    addEventListener("pagehide", () => this.#rescue());
    document.addEventListener("visibilitychange", () => document.hidden && this.flush());
  }

  /** Whether documents are kept. */
  get isOn() {
    try {
      return localStorage.getItem(SETTING) !== "off";
    } catch {
      return false;
    }
  }

  /** Keep documents from now on, those that are open too, or erase all and keep none. */
  async turn(on) {
    try {
      if (on) localStorage.removeItem(SETTING);
      else localStorage.setItem(SETTING, "off");
    } catch {
      // Then nothing can be kept in any case.
    }
    if (!on) await this.eraseAll();
    else for (const item of this.queue.items) if (item.state === "done") await this.#keep(item);
  }

  /** Whether a correction would be lost with this page. */
  get isAtRisk() {
    return this.#dirty.size > 0 && (!this.isOn || this.#hasFailed);
  }

  /** The documents of this tab before a reload, as Queue.restore takes them. */
  async restore() {
    try {
      const isBack = await this.visits.arrive();
      await this.#takeRescued();
      if (!isBack || !(await this.#exists())) return [];
      const mine = (await this.list()).filter(({ tab, isOpen }) => isOpen && tab === this.visits.tab);
      return (await Promise.all(mine.map(({ id }) => this.load(id)))).filter(Boolean).sort((a, b) => a.since - b.since);
    } catch {
      return []; // private windows may forbid it
    }
  }

  /** What is kept, newest first: {id, name, type, size, lines, pages, saved, tab, isOpen}. */
  async list() {
    if (!(await this.#exists())) return [];
    const ids = (await keys(this.#opened)).filter(([part]) => part === "about");
    const found = (await getMany(ids, this.#opened)).filter(Boolean).sort((a, b) => b.saved - a.saved);
    const old = found.filter(({ saved }, at) => at >= MOST_DOCUMENTS || Date.now() - saved > OLDEST_MS);
    for (const { id } of old) await this.erase(id);
    return found.filter((each) => !old.includes(each));
  }

  /** One document with its corrections, as Queue.restore takes it; null if it is not there. */
  async load(id) {
    const [about, file, reading, edits] = await getMany(PARTS.map((part) => [part, id]), this.#opened);
    if (!about || !file || !reading) return null;
    const { name, choices, page, since } = about;
    return { id, since, file, name, choices, page, reading: applied(reading, edits), spentMs: about.spentMs };
  }

  /** Remember a document that was restored as one of this tab's. */
  adopt(item) {
    this.#written.set(item, item.reading);
    return this.#about(item, true);
  }

  /** The corrections of a document of which only the job is known after a reload. */
  async editsOf(id) {
    try {
      return (await this.#exists()) ? await get(["edits", id], this.#opened) : null;
    } catch {
      return null;
    }
  }

  async erase(id) {
    await delMany(PARTS.map((part) => [part, id]), this.#opened);
  }

  async eraseAll() {
    this.#dirty.clear();
    localStorage.removeItem(RESCUED);
    this.#store = null;
    for (const item of this.queue.items) this.#written.delete(item);
    if (!(await this.#exists())) return;
    await delMany(await keys(this.#opened), this.#opened);
  }

  /** An item has left the list of files: it is kept, but not opened again after a reload. */
  async close(item) {
    await this.flush();
    this.#dirty.delete(item);
    if (this.#written.has(item)) await this.#about(item, false);
    else if (item.kept) await this.erase(item.kept).catch(() => {}); // its corrections, without the document
  }

  /** Write the corrections that are not written yet. */
  async flush() {
    clearTimeout(this.#clock);
    if (!this.isOn) return;
    for (const item of this.#dirty) {
      if (item.state === "done") await this.#keep(item); // erased since, perhaps
      const state = JSON.stringify(editsOf(item));
      try {
        item.kept ??= identifier();
        await setMany([[["edits", item.kept], JSON.parse(state)]], this.#opened);
        this.#hasFailed = false;
      } catch {
        this.#hasFailed = true;
        this.miss();
        return;
      }
      if (JSON.stringify(editsOf(item)) === state) this.#dirty.delete(item);
    }
  }

  /** While the page ends, only localStorage is written for certain. */
  #rescue() {
    if (!this.isOn || !this.#dirty.size) return;
    try {
      const found = [...this.#dirty].filter((item) => item.kept).map((item) => [item.kept, editsOf(item)]);
      localStorage.setItem(RESCUED, JSON.stringify(found));
    } catch {
      // There is no room, or it is forbidden.
    }
    this.flush();
  }

  async #takeRescued() {
    const found = JSON.parse(localStorage.getItem(RESCUED) ?? "[]");
    if (!found.length) return;
    await setMany(found.map(([id, edits]) => [["edits", id], edits]), this.#opened);
    localStorage.removeItem(RESCUED);
  }

  async #keep(item) {
    if (!this.isOn || this.#written.get(item) === item.reading) return;
    const before = this.#written.get(item);
    this.#written.set(item, item.reading);
    item.kept ??= identifier();
    item.since ??= Date.now();
    const { kept: id, file, reading } = item;
    const { lines, ...rest } = reading;
    const asRead = { ...rest, lines: lines.map((line) => (line.read === undefined ? line : { ...line, text: line.read })) };
    const entries = [[["reading", id], asRead], [["edits", id], editsOf(item)]];
    if (!before) entries.push([["file", id], file]);
    try {
      await this.#put(entries);
      await this.#about(item, true);
    } catch {
      this.#written.delete(item);
      if (!before) this.miss();
    }
    if (!this.queue.items.includes(item)) this.close(item);
  }

  /** Write; without room, again once the oldest documents that are not open have made some. */
  async #put(entries) {
    for (;;) {
      try {
        await setMany(entries, this.#opened);
        return;
      } catch (error) {
        const spare = error?.name === "QuotaExceededError" ? (await this.list()).filter(({ isOpen }) => !isOpen).at(-1) : null;
        if (!spare) throw error;
        await this.erase(spare.id);
      }
    }
  }

  #about(item, isOpen) {
    const { kept: id, since, name, choices, page, file, reading, spentMs } = item;
    const about = { id, since, name, choices, page, spentMs, isOpen, tab: this.visits.tab, saved: Date.now() };
    Object.assign(about, { type: file.type, size: file.size, lines: reading.lines.length, pages: reading.pages.length });
    return setMany([[["about", id], about]], this.#opened);
  }

  get #opened() {
    this.#store ??= createStore(DATABASE, "documents");
    return this.#store;
  }

  /** Whether anything was ever kept: to look must not create the database. */
  async #exists() {
    if (this.#store || !indexedDB.databases) return true;
    return (await indexedDB.databases()).some(({ name }) => name === DATABASE);
  }
}
