/** The pages of a file: which there are, which is on show, and the ways from one to another. */

import { element } from "./element.js";
import { Thumbnails } from "./thumbnails.js";

export class Pager {
  #item = null;
  #written = "";

  /** `open(number)` shows a page. */
  constructor(language, open) {
    this.language = language;
    this.group = document.getElementById("pages");
    this.choice = document.getElementById("page");
    this.previous = document.getElementById("page-previous");
    this.next = document.getElementById("page-next");
    this.minis = new Thumbnails(document.getElementById("minis"), language, open);
    this.choice.addEventListener("change", () => open(Number(this.choice.value)));
  }

  /** The numbers of the pages of `item`: all while it is read, then those that were. */
  numbersOf(item) {
    const read = item?.reading?.pages?.map((page) => page.number) ?? [];
    const failed = item?.reading?.page_errors?.map(({ page }) => page) ?? [];
    if (item?.state === "done") return [...read, ...failed].sort((a, b) => a - b);
    const total = item?.leaves?.count || (item?.choices.pages ? 0 : item?.pages?.total) || 1;
    return Array.from({ length: total }, (_, index) => index + 1);
  }

  /** The number of the page `by` pages further, or undefined. */
  near(by) {
    const numbers = this.numbersOf(this.#item);
    return numbers[numbers.indexOf(this.#item?.page) + by];
  }

  /** Show where in `item` we are. */
  show(item) {
    this.#item = item;
    const numbers = this.numbersOf(item);
    this.group.hidden = !item || numbers.length < 2;
    const total = item?.leaves?.count || numbers.at(-1);
    const key = `${this.language.tag} ${total} ${numbers.join()}`;
    if (key !== this.#written) {
      this.#written = key;
      const words = (number) => this.language.say("page.of", { n: number, total });
      this.choice.replaceChildren(...numbers.map((number) => element("option", { value: number }, words(number))));
    }
    this.choice.value = String(item?.page ?? 1);
    this.previous.disabled = item?.page === numbers[0];
    this.next.disabled = item?.page === numbers.at(-1);
    const read = new Set(item?.reading?.pages?.map((page) => page.number));
    const failed = new Set(item?.reading?.page_errors?.map(({ page }) => page));
    this.minis.show(item, numbers, (number) => (read.has(number) ? "read" : failed.has(number) ? "failed" : "unread"));
  }
}
