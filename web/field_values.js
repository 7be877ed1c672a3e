/** The values of a template's regions in all files: read by the service, shown as a table, saved as XLSX or CSV. */

import { element, icon } from "./element.js";
import { save } from "./exports.js";
import { readAny } from "./jobs.js";
import { titleOf } from "./refusal.js";

const AT_ONCE = 2;
const MEDIA = { ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".csv": "text/csv" };

export class FieldValues {
  #rows = []; // {item, page, fields: name -> field, error}
  #names = [];
  #abort = null;

  /** `root` is filled; `act` has open(item, page) to show where a value comes from. */
  constructor(root, queue, language, voice, act) {
    Object.assign(this, { root, queue, language, voice, act });
  }

  /** Read the regions of `template` in all files, and show each row as it comes. */
  async read(template) {
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.#names = [...new Set(template.regions.map(({ name }) => name.trim()))];
    const found = new Map();
    const waiting = [...this.queue.items];
    const total = waiting.length;
    const parameters = template.parameters;
    const next = async () => {
      for (let item = waiting.shift(); item && !abort.signal.aborted; item = waiting.shift()) {
        const rows = await this.#rowsOf(item, parameters, abort.signal);
        if (abort.signal.aborted) return;
        found.set(item, rows);
        this.#rows = this.queue.items.flatMap((each) => found.get(each) ?? []);
        this.show({ done: found.size, total });
      }
    };
    this.#rows = [];
    this.show({ done: 0, total });
    await Promise.all(Array.from({ length: AT_ONCE }, next));
    if (abort.signal.aborted) return;
    this.#abort = null;
    this.show();
    this.voice.say(this.language.count("values.done", this.#rows.length));
  }

  stop() {
    this.#abort?.abort();
    this.#abort = null;
    this.show();
  }

  /** Show the table; `progress` while it grows. */
  show(progress = null) {
    const { language } = this;
    if (!this.#rows.length && !progress) {
      this.root.replaceChildren();
      return;
    }
    const busy = progress && [
      element("span", { class: "pages-now" }, language.say("progress.now", progress)),
      element("progress", { max: progress.total, value: progress.done, "aria-label": language.say("values.progress") }),
      element("button", { type: "button", class: "button small", onclick: () => this.stop() }, icon("close"), language.say("cancel")),
    ];
    const heads = [language.say("values.file"), language.say("page"), ...this.#names];
    const table = element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
      element("tbody", {}, ...this.#rows.map((row) => this.#row(row))),
    );
    const actions = [".xlsx", ".csv"].map((suffix) =>
      element("button", { type: "button", class: "button small", disabled: Boolean(progress) || !this.#rows.length, "data-save": suffix, onclick: () => this.#save(suffix) }, icon("save"), suffix),
    );
    this.root.replaceChildren(
      ...(busy ? [element("div", { class: "pages-card" }, ...busy)] : []),
      element("div", { class: "table-frame", tabindex: "0", role: "region", "aria-label": language.say("values") }, table),
      element("p", { class: "card-actions" }, ...actions),
    );
  }

  async #rowsOf(item, parameters, signal) {
    try {
      const { pages: range = "" } = item.choices;
      const reading = await readAny({ ...item, jobId: null, page: 1, choices: { ...item.choices, pages: range, template: parameters } }, signal, () => {});
      const rows = reading.pages.map(({ number }) => {
        const mine = (reading.fields ?? []).filter((field) => field.page === number);
        const unmatched = mine.find((field) => field.error?.code === "template-unmatched");
        return { item, page: number, fields: new Map(mine.map((field) => [field.name, field])), error: unmatched ? this.language.say("values.unmatched") : "" };
      });
      const failed = (reading.page_errors ?? []).map(({ page, error }) => ({ item, page, fields: new Map(), error: error.title ?? "" }));
      return [...rows, ...failed].sort((a, b) => a.page - b.page);
    } catch (problem) {
      return [{ item, page: null, fields: new Map(), error: problem.slug ? titleOf(problem, this.language) : String(problem) }];
    }
  }

  #row({ item, page, fields, error }) {
    const open = () => this.act.open(item, page ?? 1);
    const name = element("th", { scope: "row" }, element("button", { type: "button", class: "link", onclick: open }, item.name));
    const number = element("td", {}, page === null ? "" : String(page));
    if (error) return element("tr", { class: "failed" }, name, number, element("td", { colspan: this.#names.length }, icon("warning"), " ", error));
    return element("tr", {}, name, number, ...this.#names.map((each) => this.#cell(fields.get(each))));
  }

  #cell(field) {
    if (!field) return element("td", {});
    const { language } = this;
    const state = field.valid === null ? "untyped" : field.valid ? "valid" : "unsure";
    const reason = field.error && language.has(`values.${field.error.code}`) ? language.say(`values.${field.error.code}`) : (field.error?.detail ?? "");
    const words = reason || (state === "untyped" ? "" : language.say(`values.${state}`));
    const mark = state === "untyped" ? "" : icon(state === "valid" ? "done" : "warning");
    return element("td", { class: `value ${state}`, title: words || null }, mark, " ", field.value ?? element("s", {}, field.text), words ? element("span", { class: "sr-only" }, `, ${words}`) : "");
  }

  async #save(suffix) {
    const { csvOf, workbookOf } = await import("./sheet_file.js");
    const flags = new Map([[true, "true"], [false, "false"], [null, ""]]);
    const rows = this.#rows.map(({ item, page, fields, error }) => {
      const cells = this.#names.flatMap((name) => {
        const field = error ? null : fields.get(name);
        return field ? [field.value ?? "", flags.get(field.valid) ?? ""] : ["", ""];
      });
      return [item.name, page === null ? "" : String(page), ...cells, error];
    });
    const table = [["file", "page", ...this.#names.flatMap((name) => [name, `${name}_valid`]), "error"], ...rows];
    const content = suffix === ".xlsx" ? await workbookOf(table, "fields") : csvOf(table);
    save(`fields${suffix}`, content, MEDIA[suffix]);
    this.voice.toast(this.language.say("downloaded", { name: `fields${suffix}` }));
  }
}
