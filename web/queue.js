/** The files of this visit, in the order they came, a few of them being read at any time. */

import { Problem } from "./api.js";
import { applied } from "./edits.js";
import { isDocument } from "./kinds.js";
import { Leaves } from "./leaves.js";
import { gathered, replaced, settled } from "./pages.js";

const AT_ONCE = 2; // enough to hide the upload behind the reading; more would only wait on the server
const MOST_TRIES = 8; // of a file while the server has no room or does not answer: two minutes, in which one can be restarted

let lastId = 0;

/** One file and what has become of it. `state`: waiting, reading, done or failed. */
class Item {
  constructor(file, name, choices) {
    this.id = ++lastId;
    this.file = file;
    this.name = name;
    this.choices = choices;
    this.url = URL.createObjectURL(file);
    this.leaves = isDocument(file) ? new Leaves(file) : null;
    this.password = ""; // never kept, and never part of an address
    this.jobId = null; // of the service, while it reads a document
    this.page = 1;
    this.isUnkept = false; // the browser has no room for it, so it would be lost with the page
    this.edits = null; // corrections of an earlier visit, for pages that are still to come
    this.showable = null; // whether the browser can show it: known once it has tried
    this.selected = null; // index of the line that was looked at last
    this.reset();
  }

  reset() {
    this.state = "waiting";
    this.reading = null;
    this.problem = null;
    this.tries = 0;
    this.wakesAt = 0;
    this.spentMs = 0;
    this.selected = null;
    this.sent = null; // {loaded, total} in bytes, while a large file is being sent
    this.pages = null; // how many have been read, of how many, while a document is read
    this.isOffline = false; // the service does not answer, but may go on reading
    this.views = new Map(); // number of a page -> clockwise angle at which it is shown, where a person chose one
    this.done = []; // corrections that can be taken back, and made again once they were
    this.undone = [];
    this.turning = null; // {number, orientation} of a page that is being read again, turned
  }
}

/** Dispatches "progress" with `detail` an Item of which bytes were sent or pages read, "job" with an Item whose job has begun or ended, and "change" with an Item (its state changed) or null (the list changed). */
export class Queue extends EventTarget {
  #read;
  #abort = new Map();
  #alarms = new Map();

  /** `read(item, signal, tell)` resolves to a reading, and tells of its pages meanwhile as readAny does; `refuse(file)` returns a Problem or null before any upload. */
  constructor(read, refuse) {
    super();
    this.#read = read;
    this.refuse = refuse;
    this.items = [];
  }

  /** Append files, as {file, name}, to be read with `choices`; returns their items. */
  add(files, choices) {
    return this.#append(files.map(({ file, name }) => new Item(file, name ?? file.name, choices)));
  }

  /** Append documents of an earlier visit, as {file, name, choices, jobId, page, reading}, and go on reading those without one. */
  restore(kept) {
    return this.#append(
      kept.map(({ id, since, file, name, choices, jobId = null, page, reading = null, spentMs = 0, edits = null }) =>
        Object.assign(new Item(file, name, choices), { kept: id, since, jobId, page, reading, spentMs, edits, state: reading ? "done" : "waiting" }),
      ),
    );
  }

  #append(added) {
    this.items.push(...added);
    this.#tell(null);
    this.#next();
    return added;
  }

  /** Forget an item, its picture, and its reading if that is under way. */
  remove(item) {
    this.#forget(item);
    this.items = this.items.filter((other) => other !== item);
    this.#tell(null);
    this.#next();
  }

  clear() {
    for (const item of this.items) this.#forget(item);
    this.items = [];
    this.#tell(null);
  }

  #forget(item) {
    this.#stop(item);
    item.leaves?.close();
    URL.revokeObjectURL(item.url);
  }

  /** Read an item again, with other choices. */
  again(item, choices) {
    this.#stop(item);
    item.reset();
    item.edits = null;
    item.jobId = null; // deleted by #stop
    item.choices = choices;
    this.#tell(item);
    this.#next();
  }

  /** Read one page again, turned clockwise by `orientation` degrees. Raises Problem. */
  async turn(item, number, orientation) {
    if (item.state !== "done" || item.turning) return;
    const abort = new AbortController();
    this.#abort.set(item, abort);
    item.turning = { number, orientation };
    this.#tell(item);
    const choices = { ...item.choices, orientation: String(orientation), pages: item.leaves ? String(number) : "" };
    try {
      const again = await this.#read({ ...item, jobId: null, choices }, abort.signal, () => {});
      if (this.#abort.get(item) === abort) item.reading = replaced(item.reading, number, again);
    } catch (error) {
      if (this.#abort.get(item) === abort) throw error;
    } finally {
      if (this.#abort.get(item) === abort) {
        this.#abort.delete(item);
        item.turning = null;
        item.selected = null;
        this.#tell(item);
        this.#next();
      }
    }
  }

  get finished() {
    return this.items.filter((item) => item.state === "done" || item.state === "failed");
  }

  #tell(item) {
    this.dispatchEvent(new CustomEvent("change", { detail: item }));
  }

  #stop(item) {
    this.#abort.get(item)?.abort();
    this.#abort.delete(item);
    clearTimeout(this.#alarms.get(item));
    this.#alarms.delete(item);
  }

  #next() {
    for (const item of this.items) {
      if (this.#abort.size >= AT_ONCE) return;
      if (item.state === "waiting" && !this.#alarms.has(item)) this.#start(item);
    }
  }

  async #start(item) {
    const refused = this.refuse(item.file);
    if (refused) {
      this.#end(item, "failed", { problem: refused });
      return;
    }
    const abort = new AbortController();
    this.#abort.set(item, abort);
    item.state = "reading";
    item.problem = null;
    item.tries += 1;
    this.#tell(item);
    const started = performance.now();
    let outcome;
    try {
      const reading = await this.#read(item, abort.signal, (news) => {
        if (this.#abort.get(item) === abort) this.#advance(item, news);
      });
      outcome = { reading: applied(settled(item.reading, reading), item.edits) };
    } catch (error) {
      outcome = { problem: error instanceof Problem ? error : new Problem({ slug: "network", detail: String(error) }) };
    }
    if (this.#abort.get(item) !== abort) return; // removed, or begun anew, in the meantime
    this.#abort.delete(item);
    item.sent = null;
    item.spentMs = performance.now() - started;
    const { problem } = outcome;
    if ((problem?.isBusy || problem?.isUnanswered) && item.tries < MOST_TRIES) this.#later(item, problem);
    else this.#end(item, outcome.reading ? "done" : "failed", outcome);
    this.#next();
  }

  #advance(item, { sent = item.sent, job, pages, records, offline }) {
    if (job !== undefined && job !== item.jobId) {
      item.jobId = job;
      this.dispatchEvent(new CustomEvent("job", { detail: item }));
    }
    if (records) item.reading = applied(gathered(item.reading, records), item.edits);
    const isNews = records || sent !== item.sent || (pages && JSON.stringify(item.pages) !== JSON.stringify(pages)) || (offline ?? item.isOffline) !== item.isOffline;
    item.sent = sent;
    item.pages = pages ?? item.pages;
    item.isOffline = offline ?? item.isOffline;
    if (isNews) this.dispatchEvent(new CustomEvent("progress", { detail: item }));
  }

  #later(item, problem) {
    const seconds = Math.min(30, Math.max(1, problem.retryAfterSeconds || 2 ** item.tries));
    item.state = "waiting";
    item.problem = problem;
    item.wakesAt = Date.now() + seconds * 1000;
    const wake = () => {
      this.#alarms.delete(item);
      item.wakesAt = 0;
      this.#next();
    };
    this.#alarms.set(item, setTimeout(wake, seconds * 1000));
    this.#tell(item);
  }

  #end(item, state, outcome) {
    Object.assign(item, { state, reading: outcome.reading ?? null, problem: outcome.problem ?? null });
    this.#tell(item);
  }
}
