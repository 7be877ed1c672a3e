/** Keeps documents in the browser while the service reads them, so that a reload of the page goes on with their jobs. */

const DATABASE = "ocrsvc";
const STORE = "documents";
const TAB = "ocrsvc.tab"; // in sessionStorage, which outlives a reload but not the tab
const BEAT_MS = 20_000; // browsers slow timers of hidden tabs down to one a minute
const ABANDONED_MS = 150_000; // then another tab may take a document over
const OLDEST_MS = 24 * 3600_000; // the service forgets a job after a day

export class Kept {
  #tab = null;
  #clock = null;
  #isLeaving = false;

  /** `miss()` is called if the browser has no room for a document. */
  constructor(queue, miss) {
    Object.assign(this, { queue, miss });
    addEventListener("pagehide", () => {
      this.#isLeaving = true; // what fails from now on fails because the page ends
    });
    addEventListener("pageshow", () => {
      this.#isLeaving = false;
    });
    queue.addEventListener("change", ({ detail: item }) => this.#changed(item));
    queue.addEventListener("job", ({ detail: item }) => this.#write(item));
  }

  /**
   * The documents of this tab's last visit, and of tabs that are gone: {id, file, name, choices, jobId, page}.
   * `isBack`: whether this tab was reloaded; a copied one has the same sessionStorage, but its documents are another's.
   */
  async restore(isBack) {
    const found = [];
    try {
      if (!isBack && !this.#tab) sessionStorage.removeItem(TAB);
      if (indexedDB.databases && !(await indexedDB.databases()).some(({ name }) => name === DATABASE)) return found;
      const tab = sessionStorage.getItem(TAB);
      for (const record of await transact("readonly", (store) => store.getAll())) {
        const age = Date.now() - record.seen;
        if (age > OLDEST_MS) await transact("readwrite", (store) => store.delete(record.id));
        else if (record.tab === tab || age > ABANDONED_MS) found.push(record);
      }
    } catch {
      // Private windows may forbid it: then there is nothing to restore.
    }
    return found.sort((a, b) => a.since - b.since);
  }

  async #changed(item) {
    if (this.#isLeaving) return;
    if (item?.leaves && item.state === "reading") this.#write(item);
    else if (item?.kept && (item.state === "done" || item.state === "failed")) this.#forget(item);
    if (item) return;
    const present = new Set(this.queue.items);
    for (const gone of this.#mine) if (!present.has(gone)) this.#forget(gone);
  }

  #mine = new Set();

  async #write(item) {
    if (this.#isLeaving || !item.leaves || item.state !== "reading" || !this.queue.items.includes(item)) return;
    const isNew = !this.#mine.has(item);
    this.#mine.add(item);
    item.kept ??= identifier();
    item.since ??= Date.now();
    const { kept: id, since, file, name, choices, jobId, page } = item;
    try {
      this.#tab ??= sessionStorage.getItem(TAB) ?? identifier();
      sessionStorage.setItem(TAB, this.#tab);
      await transact("readwrite", (store) => store.put({ id, since, seen: Date.now(), tab: this.#tab, file, name, choices, jobId, page }));
    } catch {
      item.isUnkept = true;
      if (isNew) this.miss();
      return;
    }
    if (!this.#mine.has(item)) this.#forget(item); // it was over before it was written
    this.#clock ??= setInterval(() => {
      for (const each of this.#mine) this.#write(each);
    }, BEAT_MS);
  }

  async #forget(item) {
    this.#mine.delete(item);
    try {
      await transact("readwrite", (store) => store.delete(item.kept));
      if (this.#mine.size) return;
      sessionStorage.removeItem(TAB);
      this.#tab = null;
    } catch {
      // It expires.
    }
    if (this.#mine.size) return;
    clearInterval(this.#clock);
    this.#clock = null;
  }
}

/** Not crypto.randomUUID, which pages over plain HTTP do not have. */
function identifier() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The result of `work(store)` once its transaction is over. */
async function transact(mode, work) {
  const database = await new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: "id" });
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error ?? request.error);
    });
  } finally {
    database.close();
  }
}
