/** The editor of templates beside the picture: what is drawn, its list, files, and the values of all documents. */

import { element, icon } from "./element.js";
import { renamed, save } from "./exports.js";
import { FieldValues } from "./field_values.js";
import { Template, TYPES } from "./template.js";
import { TemplateLayer } from "./template_layer.js";

const KINDS = ["region", "anchor", "ignore"];

export class TemplateMode {
  #tool = "region";

  /** `root` is filled; `page` has current(), queue, selection, picture, language and voice; `open(item, number)` shows a page. */
  constructor(root, page, open) {
    Object.assign(this, page);
    this.root = root;
    this.template = new Template();
    this.layer = new TemplateLayer(this.template, this.language, () => this.#tool, () => this.#place());
    this.values = new FieldValues(element("div", { class: "values" }), this.queue, this.language, this.voice, { open });
    this.list = element("ol", { class: "area-list" });
    this.fault = element("p", { class: "hint", role: "status" });
    this.file = element("input", { type: "file", accept: ".json,application/json", class: "hidden-input", tabindex: "-1", "aria-hidden": "true" });
    this.file.addEventListener("change", () => this.#opened());
    this.template.addEventListener("change", ({ detail }) => this.#changed(detail?.typed));
  }

  /** Begin or go on: lie on the picture that is on show now. */
  show() {
    this.layer.attach(this.picture.sheet);
    if (!this.root.firstChild) this.rewrite();
  }

  hide() {
    this.layer.attach(null);
    this.root.replaceChildren();
  }

  /** Build the panel in the present language. */
  rewrite() {
    const say = (key) => this.language.say(key);
    const tools = KINDS.map((kind) =>
      element(
        "label",
        { class: "segment" },
        element("input", { type: "radio", name: "template-tool", value: kind, checked: kind === this.#tool, onchange: () => this.#choose(kind) }),
        element("span", {}, say(`template.${kind}`)),
      ),
    );
    const button = (name, words, onclick, more = {}) => element("button", { type: "button", class: "button small", onclick, ...more }, icon(name), say(words));
    this.hint = element("p", { class: "hint" }, say(`template.hint.${this.#tool}`));
    this.apply = element("button", { type: "button", class: "button primary", id: "template-apply", onclick: () => this.values.read(this.template) }, say("template.apply"));
    this.saving = button("save", "template.save", () => this.#save(), { id: "template-save" });
    this.root.replaceChildren(
      element("fieldset", {}, element("legend", { class: "sr-only" }, say("template.tool")), element("div", { class: "segments" }, ...tools)),
      this.hint,
      element("p", { class: "card-actions" }, button("add", "template.add", () => this.#addChosen(), { id: "template-add" }), button("file", "template.open", () => this.file.click()), this.saving, button("close", "template.clear", () => this.#clear())),
      this.file,
      this.list,
      this.fault,
      element("p", { class: "card-actions" }, this.apply),
      this.values.root,
    );
    this.values.show();
    this.#changed(false);
  }

  #choose(kind) {
    this.#tool = kind;
    this.hint.textContent = this.language.say(`template.hint.${kind}`);
  }

  #changed(typed) {
    const { fault } = this.template;
    if (this.apply) this.apply.disabled = Boolean(fault) || !this.queue.items.length;
    if (this.saving) this.saving.disabled = Boolean(fault);
    this.fault.textContent = fault && this.template.areas.length ? this.language.say(fault) : "";
    if (typed) return;
    const focus = document.activeElement?.closest?.(".area-list li")?.area === this.template.selected ? document.activeElement.name : "";
    this.list.replaceChildren(...this.template.areas.map((area) => this.#entry(area)));
    this.list.querySelector(".selected")?.scrollIntoView({ block: "nearest" });
    if (focus) this.list.querySelector(`.selected [name="${focus}"]`)?.focus();
  }

  #entry(area) {
    const say = (key) => this.language.say(key);
    const isText = area.kind === "anchor";
    const field = (name, label, maxlength) => {
      const input = element("input", { type: "text", name, value: area[name], maxlength, spellcheck: "false", "aria-label": say(label), placeholder: say(label) });
      input.addEventListener("input", () => {
        area[name] = input.value;
        this.template.changed(true);
      });
      return input;
    };
    const choice = (name, values, label) => {
      const select = element("select", { name, "aria-label": say(label) }, ...values.map(([value, words]) => element("option", { value, selected: value === String(area[name] ?? "") }, words)));
      select.addEventListener("change", () => {
        area[name] = name === "page" ? Number(select.value) || null : select.value;
        this.template.changed();
      });
      return select;
    };
    const count = this.current()?.reading?.pages.length ?? 1;
    const pages = [["", say("template.every-page")], ...Array.from({ length: Math.max(count, area.page ?? 0) }, (_, at) => [String(at + 1), `${say("page")} ${at + 1}`])];
    const remove = this.language.say("remove", { name: area.name || area.text || say(`template.${area.kind}`) });
    const entry = element(
      "li",
      { class: `${area.kind}${area === this.template.selected ? " selected" : ""}` },
      element("span", { class: "area-kind" }, say(`template.${area.kind}`)),
      area.kind === "ignore" ? element("span", { class: "area-fill" }) : field(isText ? "text" : "name", isText ? "template.text" : "template.name", "64"),
      area.kind === "region" ? choice("type", TYPES.map((type) => [type, say(`type.${type || "any"}`)]), "template.type") : "",
      pages.length > 2 || area.page ? choice("page", pages, "page") : "",
      element("button", { type: "button", class: "tool", title: remove, "aria-label": remove, onclick: () => this.template.remove(area) }, icon("close")),
    );
    entry.area = area;
    entry.addEventListener("focusin", () => {
      if (this.template.selected === area) return;
      this.template.selected = area;
      this.layer.draw();
      for (const each of this.list.children) each.classList.toggle("selected", each === entry);
    });
    return entry;
  }

  /** What TemplateLayer needs to know of the page on show; boxes in fractions of the upright page. */
  #place() {
    const item = this.current();
    const page = item?.reading?.pages.find(({ number }) => number === item.page);
    const lines = page ? item.reading.lines.filter((line) => line.page === page.number).map((line) => ({ text: line.text, box: uprightBox(line.polygon, page) })) : [];
    return { page: item?.page ?? 1, isSingle: !item?.leaves || (item.reading?.pages.length ?? 1) < 2, lines };
  }

  /** Without a mouse: an area around the chosen line, or in the middle of the page. */
  #addChosen() {
    const item = this.current();
    const line = item?.reading?.lines[this.selection.selected];
    const page = item?.reading?.pages.find(({ number }) => number === item.page);
    const box = line?.page === page?.number && line ? uprightBox(line.polygon, page) : [0.35, 0.45, 0.65, 0.5];
    this.template.add(this.#tool, box, this.#place().isSingle ? null : item.page, { text: this.#tool === "anchor" ? (line?.text ?? "").slice(0, 64) : "" });
  }

  #clear() {
    if (!this.template.areas.length || confirm(this.language.say("template.clear-sure"))) this.template.clear();
  }

  #save() {
    const name = this.current() ? renamed(this.current().name, ".template.json") : "template.json";
    save(name, `${JSON.stringify(this.template.written, null, 2)}\n`, "application/json");
    this.voice.toast(this.language.say("downloaded", { name }));
  }

  async #opened() {
    const [file] = this.file.files;
    this.file.value = "";
    if (!file) return;
    try {
      this.template.read(await file.text());
    } catch {
      this.voice.toast(this.language.say("template.unreadable", { name: file.name }));
    }
  }
}

/** The bounds of a polygon in fractions of the page when it is upright. */
function uprightBox(polygon, { width, height, orientation = 0 }) {
  const turns = {
    0: ([x, y]) => [x / width, y / height],
    90: ([x, y]) => [1 - y / height, x / width],
    180: ([x, y]) => [1 - x / width, 1 - y / height],
    270: ([x, y]) => [y / height, 1 - x / width],
  };
  const points = polygon.map(turns[orientation] ?? turns[0]);
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}
