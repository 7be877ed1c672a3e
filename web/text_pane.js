/** The pane beside the picture: the lines of the page on show, the text in another form, or a card that says why not. */

import { factsOf, titleOf } from "./facts.js";
import { cardFor } from "./refusal.js";
import { $ } from "./shell.js";

export class TextPane {
  /** `parts` has lines, out, review, jobBar, threshold and language; `act` is what cards offer, as cardFor takes it. */
  constructor(parts, act) {
    Object.assign(this, parts);
    this.act = act;
  }

  /** Show the text of `item` (or null), of which `page` is on show (null: not read). */
  show(item, page) {
    const { lines, language, review, threshold } = this;
    const isDone = item?.state === "done";
    const here = page && item.turning?.number !== page.number ? countOn(item, page) : 0;
    document.body.dataset.state = item?.state ?? "";
    this.#title(item, here);
    $("reading-tools").hidden = !isDone;
    $("copy-all").disabled = !item?.reading?.lines.length;
    $("copy-page").hidden = !here || here === item.reading.lines.length;
    $("facts").textContent = isDone ? factsOf(item, language) : "";
    this.jobBar.show(item);
    if (!here) lines.clear(cardFor(item, page, language, this.act));
    else if (this.out.form === "lines") lines.show(item, page, { isDoubtful: review.isDoubtful, get threshold() { return threshold.value; } });
    else this.out.show(lines, page);
    review.count();
  }

  /** Bring the figures up to date while `item` is being read; whether that is all there is to show. */
  advance(item, page) {
    const { jobBar, lines } = this;
    const wasShown = jobBar.isShown;
    jobBar.show(item);
    const hasFailed = item.reading?.page_errors?.some((each) => each.page === item.page);
    if (!wasShown || !jobBar.isShown || hasFailed || Boolean(page) !== lines.isShown) return false;
    this.#title(item, page ? countOn(item, page) : 0);
    this.review.count();
    return true;
  }

  #title(item, here) {
    $("lines-title").textContent = item?.reading ? titleOf(item, here, this.language) : this.language.say("lines");
  }
}

function countOn({ reading }, { number }) {
  return reading.lines.filter((line) => line.page === number).length;
}
