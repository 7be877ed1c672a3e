/** What wants a second look: characters below the slider's place and, if a box is ticked, lines that the service marks. */

const STORED = "ocrsvc.threshold";
const MARKS = "ocrsvc.marks";
const USUAL_PERCENT = 90;

/** Dispatches "change" while the slider moves; `value` is between 0 and 1. Both remember their state. */
export class Threshold extends EventTarget {
  constructor(language) {
    super();
    this.language = language;
    this.slider = document.getElementById("threshold");
    this.slider.value = remembered();
    this.box = document.getElementById("marks");
    this.box.checked = recalled(MARKS) !== "off";
    this.box.addEventListener("change", () => {
      remember(MARKS, this.box.checked ? "on" : "off");
      this.dispatchEvent(new Event("change"));
    });
    this.slider.addEventListener("input", () => {
      this.rewrite();
      this.dispatchEvent(new Event("change"));
    });
    this.slider.addEventListener("change", () => remember(STORED, this.slider.value));
  }

  get value() {
    return Number(this.slider.value) / 100;
  }

  /** Whether lines that the service marks are doubtful whatever their characters. */
  get marks() {
    return this.box.checked;
  }

  rewrite() {
    document.getElementById("threshold-now").textContent = `${this.slider.value} %`;
  }
}

function remembered() {
  const percent = Number(recalled(STORED));
  return percent >= 50 && percent <= 100 ? percent : USUAL_PERCENT;
}

function recalled(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Then it stays as long as the page.
  }
}
