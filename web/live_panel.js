/** Figures of the service for those who run it: what waits, how fast it reads, how long answers take, its memory. */

import { fetchMetrics, Problem } from "./api.js";
import { element, icon, svgElement } from "./element.js";
import { Look, rate, spread } from "./service_figures.js";

const PERIOD_MS = 2000;
const WINDOW_MS = 60_000; // over which rates and latencies are taken
const LATENCY = "ocrsvc_request_duration_seconds";
const ROUTE = "/api/ocr";
const [TREND_WIDTH, TREND_HEIGHT] = [96, 20];

export class LivePanel {
  #looks = new Map(); // identity of the processes that answered -> their looks of the last minute, oldest first
  #last = null; // identity of the last answer
  #isMixed = false; // several services have answered in turn
  #trends = new Map(); // name of a figure -> its last values
  #abort = null;
  #clock = 0;
  #opener = null;
  #key = ""; // of the sentence below the figures, with its values
  #values = {};

  constructor(language) {
    this.language = language;
    this.note = element("p", { class: "hint", role: "status" });
    this.list = element("dl", { class: "live-list" });
    this.root = element("section", { class: "live", tabindex: "-1", hidden: true });
    this.root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.close();
    });
    language.addEventListener("change", () => this.isOpen && this.#write());
    document.addEventListener("visibilitychange", () => !document.hidden && this.isOpen && this.#ask());
    document.body.append(this.root);
  }

  get isOpen() {
    return !this.root.hidden;
  }

  turn() {
    if (this.isOpen) this.close();
    else this.open();
  }

  open() {
    this.#opener = document.activeElement;
    this.root.hidden = false;
    this.#say("live.measuring");
    this.#write();
    this.root.focus();
    this.#ask();
  }

  /** Stop asking. */
  close() {
    const hadFocus = this.root.contains(document.activeElement);
    this.root.hidden = true;
    clearTimeout(this.#clock);
    this.#abort?.abort();
    this.#looks.clear();
    this.#trends.clear();
    this.#last = null;
    this.#isMixed = false;
    if (hadFocus && this.#opener?.isConnected) this.#opener.focus();
  }

  #write() {
    const say = (key) => this.language.say(key);
    const close = element("button", { type: "button", class: "tool", "aria-label": say("close"), title: say("close"), onclick: () => this.close() }, icon("close"));
    this.root.setAttribute("aria-label", say("live"));
    this.root.replaceChildren(element("div", { class: "help-head" }, element("h2", {}, say("live")), close), this.list, this.note);
    this.#show();
    this.note.textContent = this.#words();
  }

  #say(key, values = {}) {
    [this.#key, this.#values] = [key, values];
    const words = this.#words();
    if (this.note.textContent !== words) this.note.textContent = words; // screen readers say what has changed
  }

  #words() {
    return this.#key ? this.language.say(this.#key, this.#values) : "";
  }

  async #ask() {
    clearTimeout(this.#clock);
    this.#abort?.abort();
    if (document.hidden) return;
    const abort = new AbortController();
    this.#abort = abort;
    try {
      const look = new Look(await fetchMetrics(abort.signal), performance.now());
      if (abort.signal.aborted) return;
      this.#take(look);
    } catch (problem) {
      if (abort.signal.aborted) return;
      if (!this.#explain(problem)) return;
    }
    this.#clock = setTimeout(() => this.#ask(), PERIOD_MS);
  }

  /** Say why there are no figures; whether asking again may help. */
  #explain(problem) {
    if (!(problem instanceof Problem)) throw problem;
    this.#looks.clear();
    this.#trends.clear();
    this.#show();
    if (problem.isTemporary) this.#say("live.offline");
    else if (problem.status === 401) this.#say("live.denied");
    else if (problem.status === 403 || problem.status === 404) this.#say("live.elsewhere");
    else this.#say("live.failed", { status: problem.status });
    return problem.isTemporary;
  }

  #take(look) {
    const { identity } = look;
    if (!look.has("ocrsvc_ready")) {
      this.#say("live.elsewhere"); // something else answers at this address
      return;
    }
    if (this.#last !== null && this.#last !== identity && this.#looks.has(identity)) this.#isMixed = true;
    this.#last = identity;
    const looks = this.#looks.get(identity) ?? [];
    this.#looks.set(identity, looks);
    looks.push(look);
    while (looks[0].atMs < look.atMs - WINDOW_MS) looks.shift();
    for (const [other, seen] of this.#looks) if (seen.at(-1).atMs < look.atMs - WINDOW_MS) this.#looks.delete(other);
    const [up, all] = [look.sum("ocrsvc_process_up"), look.count("ocrsvc_process_up")];
    if (this.#isMixed) this.#say("live.mixed");
    else if (all) this.#say("live.processes", { n: up, total: all });
    else this.#say("");
    this.#show(true);
  }

  #show(isNew = false) {
    const looks = this.#looks.get(this.#last) ?? [];
    const now = looks.at(-1);
    if (!now) {
      this.list.replaceChildren();
      return;
    }
    this.list.replaceChildren(...this.#figures(looks[0] === now ? null : looks[0], looks.at(-2) ?? null, now).map((figure) => this.#entry(figure, isNew)));
  }

  /** `first` is the oldest look of the last minute, `before` the last but one: null if there is none. */
  #figures(first, before, now) {
    const say = (key, values) => this.language.say(key, values);
    const lines = rate(before, now, "ocrsvc_lines_total", { outcome: "ok" });
    const pages = (rate(first, now, "ocrsvc_document_pages_total") ?? 0) + (rate(first, now, "ocrsvc_job_pages_total", { outcome: "read" }) ?? 0);
    const recent = spread(first, now, LATENCY, ROUTE);
    const latency = first && recent.count ? recent : spread(null, now, LATENCY, ROUTE);
    const since = latency === recent ? say("live.requests", { n: recent.count }) : say("live.start");
    const seconds = (share) => (latency.count ? `${rounded(latency.of(share))} s` : "–");
    const memory = now.sum("process_resident_memory_bytes");
    const refused = first && 60 * rate(first, now, "ocrsvc_rejected_total");
    const waiting = now.sum("ocrsvc_lines_outstanding");
    const figures = [
      { name: "queue", value: say("live.lines-now", { n: waiting }), note: say("live.work", { n: rounded(now.most("ocrsvc_queue_eta_seconds")) }), trend: waiting },
      { name: "workers", value: say("live.of", { n: now.sum("ocrsvc_workers_busy"), total: now.sum("ocrsvc_workers") }) },
      { name: "lines", value: lines === null ? "–" : rounded(lines), trend: lines },
      { name: "pages", value: first ? rounded(60 * pages) : "–" },
      { name: "p50", value: seconds(0.5), note: latency.count ? since : "" },
      { name: "p99", value: seconds(0.99), note: latency.count ? since : "" },
      { name: "memory", value: this.language.size(memory), note: say("live.limit", { size: this.language.size(now.most("ocrsvc_memory_limit_bytes")) }), trend: memory },
      { name: "refused", value: refused === null ? "–" : rounded(refused) },
    ];
    if (now.has("ocrsvc_jobs")) figures.push({ name: "jobs", value: say("live.jobs-now", { n: now.sum("ocrsvc_jobs", { state: "queued" }), running: now.sum("ocrsvc_jobs", { state: "running" }) }) });
    return figures;
  }

  #entry({ name, value, note = "", trend = null }, isNew) {
    const values = this.#trends.get(name) ?? [];
    this.#trends.set(name, values);
    if (trend !== null && isNew) values.push(trend);
    while (values.length > WINDOW_MS / PERIOD_MS) values.shift();
    return element("div", { class: "live-figure", "data-figure": name }, element("dt", {}, this.language.say(`live.${name}`)), element("dd", { class: "live-value" }, value), element("dd", { class: "live-note" }, note, values.length > 1 ? drawn(values) : ""));
  }
}

/** The last values as a line; the numbers say the same. */
function drawn(values) {
  const most = Math.max(...values) || 1;
  const points = values.map((value, at) => `${((at * TREND_WIDTH) / (values.length - 1)).toFixed(1)},${(TREND_HEIGHT - 1 - ((TREND_HEIGHT - 2) * value) / most).toFixed(1)}`);
  return svgElement("svg", { class: "live-trend", viewBox: `0 0 ${TREND_WIDTH} ${TREND_HEIGHT}`, "aria-hidden": "true" }, svgElement("polyline", { points: points.join(" ") }));
}

function rounded(value) {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(2)));
}
