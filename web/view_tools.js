/** The buttons above the picture: zoom, boxes, text, and what is said where a page is turned or cannot be shown. */

import { $ } from "./shell.js";

const SWITCHES = [["show-boxes", "showsBoxes"], ["show-text", "showsText"]];

export class ViewTools {
  constructor(picture, isDoubtful, language) {
    Object.assign(this, { picture, language });
    for (const [id, act] of [["zoom-in", () => picture.zoom(1)], ["zoom-out", () => picture.zoom(-1)], ["zoom-fit", () => picture.fit()]]) $(id).addEventListener("click", act);
    for (const [id, property] of SWITCHES) {
      $(id).addEventListener("click", () => {
        picture[property] = !picture[property];
        $(id).setAttribute("aria-pressed", String(picture[property]));
        picture.refresh(isDoubtful);
      });
    }
  }

  /** Agree with `item` (or null), of which `page` is on show (null: not read). */
  show(item, page) {
    const { picture, language } = this;
    const hidden = picture.cannotShow;
    const failed = item?.state === "failed";
    document.body.toggleAttribute("data-blind", hidden && failed);
    $("stage-note").hidden = !hidden || !page;
    $("stage-note").textContent = language.say(item?.leaves?.needsPassword ? "nopreview.password" : "nopreview");
    $("view-tools").hidden = hidden && failed;
    $("turn").disabled = item?.state !== "done" || Boolean(item.turning) || !page;
    $("turned").hidden = !picture.angle;
    $("turned").textContent = language.say("turned", { n: picture.angle });
    $("turned").title = language.say("turned.hint", { n: picture.angle });
  }
}
