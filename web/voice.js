/** What the page says: to screen readers only, or in a note at the bottom as well. */

const READ_MS = 2500;
const READ_MS_PER_CHARACTER = 40;

export class Voice {
  #timer = 0;

  constructor(status, toast) {
    this.status = status;
    this.note = toast;
  }

  /** Tell screen readers. */
  say(words) {
    this.status.textContent = words;
  }

  /** Tell everybody, for as long as it takes to read. */
  toast(words) {
    this.say(words);
    this.note.textContent = words;
    this.note.classList.add("shown");
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.note.classList.remove("shown"), READ_MS + words.length * READ_MS_PER_CHARACTER);
  }
}
