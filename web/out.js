/** The ways out: copying, files to keep, and the forms in which a text is shown. What few need is fetched when it is used. */

import { copyTable, copyText } from "./clipboard.js";
import { element } from "./element.js";
import { more } from "./more.js";
import { allText, textOf } from "./text.js";

const FORMS = ["lines", "rows", "paragraphs", "tables", "compare"];
const $ = (id) => document.getElementById(id);

export class Out {
  #form = "lines";
  #wanted = "lines"; // the form that was chosen last, which may have to be fetched
  #layouts = null;
  #views = null;
  #compare = null;
  #menus = new Map(); // id of a menu -> what fills it

  /** `page` has current(), queue, options, selection, language and voice; `act` shown(), edit(index) and take(line, text). */
  constructor(page, act) {
    Object.assign(this, page);
    this.act = act;
    $("form").addEventListener("change", () => this.#choose($("form").value));
    $("copy-page").addEventListener("click", () => this.#copyText(this.current().page));
    $("copy-all").addEventListener("click", () => this.copyAll());
    $("copy-table").addEventListener("click", () => this.#copySheet());
    $("all-copy").addEventListener("click", () => {
      const count = this.queue.items.reduce((sum, item) => sum + (item.reading?.lines.length ?? 0), 0);
      this.copy(allText(this.queue.items), count);
    });
    document.addEventListener("keydown", (event) => this.#key(event));
    $("download").addEventListener("toggle", () => this.#fill("download"));
    $("all-download").addEventListener("toggle", () => this.#fill("all-download"));
  }

  /** How the text is shown: lines, rows, paragraphs, tables, or compare: as two models read it. */
  get form() {
    return this.#form;
  }

  set form(form) {
    if (form !== this.#wanted) this.#choose(form);
  }

  /** Show the text in the next form. */
  turn() {
    if (this.current()?.reading?.lines.length) this.#choose(FORMS[(FORMS.indexOf(this.#wanted) + 1) % FORMS.length]);
  }

  rewrite() {
    $("form").replaceChildren(...FORMS.map((form) => element("option", { value: form, selected: form === this.#form }, this.language.say(`form.${form}`))));
    $("download").open = $("all-download").open = false;
  }

  /** Show a page in its form, in the place of `lines`. */
  show(lines, page) {
    lines.clear("");
    lines.isShown = true; // of the page; the rest of the page need not know in which form
    if (this.#form === "compare") this.#compare.show(this.current(), page.number);
    else this.#views.show(this.current(), page.number, this.#form);
  }

  async copy(text, count) {
    if (!text) this.voice.toast(this.language.say("copied.nothing"));
    else this.voice.toast((await copyText(text)) ? this.language.count("copied", count) : this.language.say("copy.failed"));
  }

  copyLine() {
    const line = this.current()?.reading?.lines[this.selection.selected];
    if (line) this.copy(line.text, 1);
  }

  copyAll() {
    if (this.current()?.state === "done") this.#copyText(null);
  }

  #copyText(page) {
    const { reading } = this.current();
    const count = reading.lines.filter((line) => page === null || line.page === page).length;
    this.copy(this.#form === "lines" || this.#form === "compare" ? textOf(reading, page) : this.#layouts.formedText(reading, this.#form, page), count);
  }

  async #copySheet() {
    const { reading, page } = this.current();
    const rows = this.#layouts.sheetOf(reading, page);
    this.#copied(await copyTable(rows), rows.length);
  }

  #copied(isCopied, rows) {
    this.voice.toast(isCopied ? this.language.count("copied.rows", rows) : this.language.say("copy.failed"));
  }

  async #choose(form) {
    this.#wanted = form;
    if (form === "compare" && !this.#compare) {
      const found = await this.#fetched(import("./compare.js"));
      if (!found) return this.#stay(form);
      this.#compare ??= new found[0].Compare($("reading"), this.options, this.selection, this.language, { take: this.act.take });
    } else if (form !== "lines" && form !== "compare" && !this.#views) {
      const found = await this.#fetched(import("./layouts.js"), import("./views.js"));
      if (!found) return this.#stay(form);
      const [layouts, { Views }] = found;
      const edit = (index) => {
        this.form = "lines";
        this.act.edit(index);
      };
      this.#layouts = layouts;
      this.#views ??= new Views($("reading"), this.selection, this.language, { edit, copied: (...what) => this.#copied(...what) });
    }
    if (form !== this.#wanted) return; // another one has been chosen in the meantime
    this.#form = form;
    $("form").value = form;
    this.act.shown();
  }

  /** `form` could not be fetched: the text stays as it is shown. */
  #stay(form) {
    if (form === this.#wanted) this.#wanted = this.#form;
    $("form").value = this.#form;
  }

  /** Modules with their words and styles; null, and said so, if the service does not answer. */
  async #fetched(...modules) {
    try {
      return await Promise.all([...modules, more(this.language)]);
    } catch {
      this.voice.toast(`${this.language.say("problem.network.title")}. ${this.language.say("do.network")}`);
      return null;
    }
  }

  /** Ctrl+S saves what has been corrected, not the page of the browser. */
  async #key(event) {
    if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey || event.key.toLowerCase() !== "s") return;
    const item = this.current();
    if (item?.state !== "done" || event.target.closest?.("dialog")) return;
    event.preventDefault();
    if (event.target.matches?.(".row .field")) event.target.blur(); // what is being typed is kept
    const menu = await this.#menu("download");
    const formats = this.options.offered.formats.filter(({ name }) => name === "pdf");
    if (formats.length) menu?.write(item, formats[0]);
  }

  async #fill(id) {
    if (!$(id).open) return;
    const menu = await this.#menu(id);
    const { formats } = this.options.offered;
    if (id === "all-download") menu?.fillAll(this.queue, formats);
    else menu?.fill(this.current(), formats);
  }

  /** What fills a menu and writes its files; null if it cannot be fetched. */
  async #menu(id) {
    const menu = $(id);
    const isAll = id === "all-download";
    const found = await this.#fetched(isAll ? import("./all_downloads.js") : import("./downloads.js"));
    if (!found) return null;
    const [made] = found;
    if (!this.#menus.has(id)) {
      const Menu = isAll ? made.AllDownloads : made.Downloads;
      this.#menus.set(id, new Menu(menu, $(`${id}-list`), this.language, this.voice));
    }
    return this.#menus.get(id);
  }
}
