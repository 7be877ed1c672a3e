/** Single keys for people who read all day. They can be switched off, as WCAG 2.1.4 asks. */

import { element } from "./element.js";

const STORED = "ocrsvc.keys";

/** What the help lists, in order: keys and the message that explains them. */
const HELP = [
  [["O"], "help.choose"],
  [["Ctrl", "V"], "help.paste"],
  [["↓", "↑"], "help.lines"],
  [["D"], "help.doubt"],
  [["1", "…", "5"], "help.choices"],
  [["Y"], "help.right"],
  [["Enter"], "help.edit"],
  [["Ctrl", "Enter"], "help.next"],
  [["Ctrl", "Z"], "help.undo"],
  [["Ctrl", "S"], "help.save"],
  [["C"], "help.copyline"],
  [["A"], "help.copyall"],
  [["V"], "help.form"],
  [["]", "["], "help.files"],
  [[">", "<"], "help.pages"],
  [["R"], "help.turn"],
  [["B", "T"], "help.boxes"],
  [["M"], "help.template"],
  [["+", "−", "0"], "help.zoom"],
  [["L"], "help.live"],
  [["?"], "help.help"],
];

export class Shortcuts {
  /** What each key does, as KeyboardEvent.key has it in lower case: filled in by who can do it. */
  actions = {};

  constructor(dialog, language) {
    this.dialog = dialog;
    this.language = language;
    this.isOn = remembered();
    const box = document.getElementById("keys-on");
    box.checked = this.isOn;
    box.addEventListener("change", () => this.#switch(box.checked));
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close(); // the backdrop
    });
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Write the list in the present language. */
  rewrite() {
    const entries = HELP.flatMap(([keys, key]) => [
      element("dt", {}, ...keys.map((each) => element("kbd", {}, each))),
      element("dd", {}, this.language.say(key)),
    ]);
    document.getElementById("help-keys").replaceChildren(...entries);
  }

  open() {
    if (!this.dialog.open) this.dialog.showModal();
  }

  #switch(on) {
    this.isOn = on;
    try {
      localStorage.setItem(STORED, on ? "on" : "off");
    } catch {
      // Then it is so until the page is left.
    }
  }

  #key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (!this.isOn || this.dialog.open || event.target.closest?.("input:not([type=range], [type=radio], [type=checkbox]), select, textarea")) return;
    const arrow = event.key.startsWith("Arrow");
    if (arrow && event.target.closest?.("input, .stage, .sheet-menu")) return; // these have their own use for arrows
    const action = this.actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }
}

function remembered() {
  try {
    return localStorage.getItem(STORED) !== "off";
  } catch {
    return true;
  }
}
