/** Below which confidence a line wants a second look: a slider that remembers its place. */

const STORED = "ocrsvc.threshold";
const USUAL_PERCENT = 90;

/** Dispatches "change" while the slider moves; `value` is between 0 and 1. */
export class Threshold extends EventTarget {
  constructor(language) {
    super();
    this.language = language;
    this.slider = document.getElementById("threshold");
    this.slider.value = remembered();
    this.slider.addEventListener("input", () => {
      this.rewrite();
      this.dispatchEvent(new Event("change"));
    });
    this.slider.addEventListener("change", () => {
      try {
        localStorage.setItem(STORED, this.slider.value);
      } catch {
        // Then it stays as long as the page.
      }
    });
  }

  get value() {
    return Number(this.slider.value) / 100;
  }

  rewrite() {
    document.getElementById("threshold-now").textContent = `${this.slider.value} %`;
  }
}

function remembered() {
  try {
    const percent = Number(localStorage.getItem(STORED));
    return percent >= 50 && percent <= 100 ? percent : USUAL_PERCENT;
  } catch {
    return USUAL_PERCENT;
  }
}
