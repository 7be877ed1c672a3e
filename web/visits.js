/** Tabs of this page: which of them holds which documents, so that two never write the same one. */

const STORED = "ocrsvc.visit"; // in sessionStorage, which outlives a reload but not the tab; a copied tab has it, too
const PATIENCE_MS = 150; // other tabs answer within milliseconds

export class Visits {
  #channel = "BroadcastChannel" in window ? new BroadcastChannel("ocrsvc.visits") : null;

  /** `held()` returns the identifiers of the documents that are open in this tab. */
  constructor(held) {
    this.tab = null;
    this.isBack = false; // whether the tab is the one that it was before a reload
    this.#channel?.addEventListener("message", ({ data }) => {
      if (data.ask) this.#channel.postMessage({ tab: this.tab, held: held() });
    });
  }

  /** Find out who this tab is; resolves to `isBack`. */
  async arrive() {
    try {
      const before = sessionStorage.getItem(STORED);
      const others = before ? await this.others() : [];
      this.isBack = Boolean(before) && !others.some(({ tab }) => tab === before);
      this.tab = this.isBack ? before : identifier();
      sessionStorage.setItem(STORED, this.tab);
      return this.isBack;
    } catch {
      this.tab = identifier();
      return false;
    }
  }

  /** The other tabs, as {tab, held}. */
  others() {
    if (!this.#channel) return Promise.resolve([]);
    return new Promise((resolve) => {
      const answers = [];
      const hear = ({ data }) => data.held && answers.push(data);
      this.#channel.addEventListener("message", hear);
      this.#channel.postMessage({ ask: true });
      setTimeout(() => {
        this.#channel.removeEventListener("message", hear);
        resolve(answers);
      }, PATIENCE_MS);
    });
  }
}

/** Not crypto.randomUUID, which pages over plain HTTP do not have. */
export function identifier() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
