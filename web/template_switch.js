/** Goes from the text to the editor of templates and back; the editor is fetched when it is opened first. */

import { more } from "./more.js";

export class TemplateSwitch {
  #mode = null;

  /** `page` is what TemplateMode takes; `open(item, number)` shows a page. */
  constructor(button, panel, page, open) {
    Object.assign(this, { button, panel, page, open });
    button.addEventListener("click", () => this.turn());
  }

  get isOn() {
    return document.body.dataset.mode === "template";
  }

  /** Draw regions on the picture, with their list in the place of the text; or go back to the text. */
  async turn() {
    const on = !this.isOn;
    if (on && !this.#mode) {
      const { language, voice } = this.page;
      try {
        const [{ TemplateMode }] = await Promise.all([import("./template_mode.js"), more(language, "template.css")]);
        this.#mode ??= new TemplateMode(this.panel, this.page, this.open);
      } catch {
        voice.toast(`${language.say("problem.network.title")}. ${language.say("do.network")}`);
        return;
      }
    }
    document.body.dataset.mode = on ? "template" : "";
    this.show();
  }

  /** Lie on the picture that is on show now, if it is on. */
  show() {
    const { isOn } = this;
    this.button.setAttribute("aria-pressed", String(isOn));
    this.panel.hidden = !isOn;
    if (isOn) this.#mode.show();
    else this.#mode?.hide();
  }

  rewrite() {
    if (this.isOn) this.#mode.rewrite();
  }
}
