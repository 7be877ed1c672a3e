/** The form of reading options, built from what the service offers, and the limits that it tells. */

import { fetchOptions } from "./api.js";
import { element } from "./element.js";
import { key } from "./key.js";

const STORED = "ocrsvc.options";
const NOTHING = { modes: ["auto", "line", "page"], models: [], orientations: [], pdfTexts: [], formats: [], charsets: [], types: [], suffixes: [], limits: {}, model: "" };
const NAMES = ["mode", "model", "charset", "charset_mode", "orientation", "pdf_text", "pages"]; // of parameters and of fields
const PATIENCE_MS = 3000; // between two questions to a service that is still loading its models

const nameOf = (entry) => (typeof entry === "string" ? entry : entry.name);

/** Dispatches "change" when the choices, or what can be chosen, have changed. */
export class Options extends EventTarget {
  offered = NOTHING;

  constructor(form, language) {
    super();
    this.form = form;
    this.language = language;
    this.chosen = remembered();
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", () => this.#choose());
    this.rewrite();
    this.#ask();
    key.addEventListener("change", () => this.offered === NOTHING && this.#ask());
  }

  /** The parameters of a request, defaults left out. */
  get choices() {
    const { mode, model, charset, charset_mode: charsetMode, orientation, pdf_text: pdfText, pages } = this.chosen;
    return {
      mode: mode && mode !== "auto" ? mode : "",
      model: model && model !== this.offered.model && this.offered.models.includes(model) ? model : "",
      charset: charset ?? "",
      charset_mode: charset && charsetMode ? charsetMode : "",
      orientation: orientation && orientation !== "auto" ? orientation : "",
      pdf_text: pdfText && pdfText !== "auto" ? pdfText : "",
      pages: pages ?? "",
    };
  }

  /** The choices in a few words, for the button that opens the form. */
  get summary() {
    const { mode, charset, orientation, pages } = this.choices;
    const model = this.choices.model || this.offered.model;
    return [this.#modeName(mode || "auto"), model, charset, orientation && `${orientation}°`, pages && `${this.language.say("page")} ${pages}`].filter(Boolean).join(" · ");
  }

  /** Build the form in the present language. */
  rewrite() {
    const { language, offered, chosen } = this;
    const model = offered.models.includes(chosen.model) ? chosen.model : offered.model;
    const modelName = (name) => (name === offered.model && offered.models.length > 1 ? language.say("option.default", { name }) : name);
    this.form.replaceChildren(
      this.#modes(offered.modes, offered.modes.includes(chosen.mode) ? chosen.mode : "auto"),
      offered.models.length ? this.#field("model", select("model", offered.models.map((name) => [name, modelName(name)]), model)) : "",
      this.#field("charset", this.#charset(), language.say("option.charset.hint")),
      this.#report(),
      offered.orientations.length ? this.#field("orientation", this.#select("orientation", offered.orientations), language.say("option.orientation.hint")) : "",
      offered.pdfTexts.length ? this.#field("pdf_text", this.#select("pdf_text", offered.pdfTexts)) : "",
      this.#field("pages", this.#input("pages", { placeholder: language.say("option.pages.any"), inputmode: "text" }), language.say("option.pages.hint")),
      element("p", { class: "hint" }, language.say("option.note")),
    );
    this.dispatchEvent(new Event("change"));
  }

  #modes(modes, now) {
    const radios = modes.map((mode) =>
      element("label", { class: "segment" }, element("input", { type: "radio", name: "mode", value: mode, checked: mode === now }), element("span", {}, this.#modeName(mode))),
    );
    return element("fieldset", {}, element("legend", {}, this.language.say("option.mode")), element("div", { class: "segments" }, ...radios));
  }

  #modeName(mode) {
    return this.language.has(`mode.${mode}`) ? this.language.say(`mode.${mode}`) : mode;
  }

  #field(name, control, hint = "") {
    const label = element("label", { for: `option-${name}` }, this.language.say(`option.${name}`));
    return element("div", { class: "option" }, label, control, hint ? element("p", { class: "hint", id: `hint-${name}` }, hint) : "");
  }

  #input(name, attributes) {
    const value = this.chosen[name] || null;
    return element("input", { type: "text", id: `option-${name}`, name, value, spellcheck: "false", "aria-describedby": `hint-${name}`, ...attributes });
  }

  /** A choice among the service's words, in the language of the page where it has any for them. */
  #select(name, values) {
    const wordsFor = (value) => (this.language.has(`${name}.${value}`) ? this.language.say(`${name}.${value}`) : value);
    const now = values.includes(this.chosen[name]) ? this.chosen[name] : "auto";
    return select(name, values.map((value) => [value, wordsFor(value)]), now);
  }

  #charset() {
    const choices = this.offered.charsets.map((name) => element("option", { value: name }));
    const list = element("datalist", { id: "charsets" }, ...choices);
    const input = this.#input("charset", { placeholder: this.language.say("option.charset.any"), list: "charsets" });
    return element("span", { class: "combined" }, input, list);
  }

  #report() {
    const box = element("input", { type: "checkbox", id: "option-charset-mode", name: "charset_mode", value: "report", checked: this.chosen.charset_mode === "report" });
    return element("label", { class: "check" }, box, element("span", {}, this.language.say("option.charset.report")));
  }

  #choose() {
    const given = new FormData(this.form);
    this.chosen = Object.fromEntries(NAMES.map((name) => [name, String(given.get(name) ?? "").trim()]));
    try {
      // Only what stays true tomorrow: a range of pages belongs to one file, a character set to one kind of form.
      localStorage.setItem(STORED, JSON.stringify({ mode: this.chosen.mode, model: this.chosen.model, pdf_text: this.chosen.pdf_text }));
    } catch {
      // Then the choices last as long as the page.
    }
    this.dispatchEvent(new Event("change"));
  }

  async #ask() {
    let told;
    try {
      told = await fetchOptions();
    } catch (problem) {
      // The page can read without: every option has a default. A service that is starting is asked again.
      if (problem.isTemporary) setTimeout(() => this.#ask(), PATIENCE_MS);
      return;
    }
    const names = (list) => (Array.isArray(list) ? list.map(nameOf).filter(Boolean) : []);
    this.offered = {
      modes: names(told.modes).length ? names(told.modes) : NOTHING.modes,
      models: names(told.models),
      model: told.defaults?.model ?? names(told.models)[0] ?? "",
      formats: (told.formats ?? []).map((each) => (typeof each === "string" ? { name: each, suffix: `.${each}` } : each)),
      orientations: names(told.orientations),
      pdfTexts: names(told.pdf_texts),
      charsets: names(told.charsets),
      types: told.accepted_types ?? [],
      suffixes: told.accepted_suffixes ?? [],
      limits: told.limits ?? {},
    };
    this.rewrite();
  }
}

function select(name, choices, now) {
  const options = choices.map(([value, words]) => element("option", { value, selected: value === now }, words));
  return element("select", { id: `option-${name}`, name }, ...options);
}

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(STORED)) ?? {};
  } catch {
    return {};
  }
}
