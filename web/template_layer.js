/** The areas of a template on the picture: drawn, moved and resized with the mouse, a finger or the keyboard. */

import { element } from "./element.js";
import { clamped } from "./template.js";

const LEAST_PIXELS = 6; // of a drag; less is a click
const STEP = 0.004; // of the page, for a key

export class TemplateLayer {
  #drag = null;

  /** `tool()` is the kind that is drawn; `place()` has {page, lines: [{box, text}]} of the page on show. */
  constructor(template, language, tool, place) {
    Object.assign(this, { template, language, tool, place });
    this.layer = element("div", { class: "template-layer" });
    this.layer.addEventListener("pointerdown", (event) => this.#begin(event));
    this.layer.addEventListener("pointermove", (event) => this.#move(event));
    this.layer.addEventListener("pointerup", (event) => this.#end(event));
    this.layer.addEventListener("pointercancel", () => this.#stop());
    this.layer.addEventListener("keydown", (event) => this.#key(event));
    template.addEventListener("change", () => this.draw());
  }

  /** Lie on `sheet`, or nowhere (null). */
  attach(sheet) {
    if (sheet && this.layer.parentNode !== sheet) sheet.append(this.layer);
    if (!sheet) this.layer.remove();
    this.draw();
  }

  draw() {
    const { page } = this.place();
    const focused = this.layer.contains(document.activeElement);
    const shown = this.template.areas.filter((area) => area.page === null || area.page === page);
    this.layer.replaceChildren(...shown.map((area) => this.#box(area)));
    if (focused) this.layer.querySelector(".selected")?.focus({ preventScroll: true });
  }

  #box(area) {
    const label = area.kind === "region" ? area.name : area.kind === "anchor" ? area.text : this.language.say("template.ignore");
    const kind = this.language.say(`template.${area.kind}`);
    const box = element(
      "div",
      { class: `area ${area.kind}`, tabindex: "0", role: "button", "aria-label": `${kind}: ${label}`, "aria-pressed": String(area === this.template.selected) },
      element("span", { class: "area-name", "aria-hidden": "true" }, label),
      element("span", { class: "area-corner", "aria-hidden": "true" }),
    );
    box.classList.toggle("selected", area === this.template.selected);
    box.addEventListener("focus", () => this.template.selected !== area && this.template.select(area));
    box.area = area;
    placed(box, area.box);
    return box;
  }

  #at({ clientX, clientY }) {
    const frame = this.layer.getBoundingClientRect();
    return [clamped((clientX - frame.left) / frame.width), clamped((clientY - frame.top) / frame.height)];
  }

  #begin(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    event.preventDefault();
    event.stopPropagation();
    const box = event.target.closest(".area");
    const from = this.#at(event);
    this.layer.setPointerCapture(event.pointerId);
    const isCorner = event.target.matches(".area-corner");
    this.#drag = { from, start: [event.clientX, event.clientY], area: box?.area ?? null, box: box ? [...box.area.box] : null, isCorner, isMoved: false };
    if (box && box.area !== this.template.selected) this.template.select(box.area);
    if (!box) this.#drag.ghost = this.layer.appendChild(element("div", { class: `area ghost ${this.tool()}` }));
  }

  #move(event) {
    const drag = this.#drag;
    if (!drag) return;
    const [x, y] = this.#at(event);
    drag.isMoved ||= Math.hypot(event.clientX - drag.start[0], event.clientY - drag.start[1]) >= LEAST_PIXELS;
    if (!drag.isMoved) return;
    if (drag.ghost) {
      drag.box = [Math.min(x, drag.from[0]), Math.min(y, drag.from[1]), Math.max(x, drag.from[0]), Math.max(y, drag.from[1])];
      placed(drag.ghost, drag.box);
      return;
    }
    drag.area.box = drag.isCorner ? resized(drag.box, x - drag.from[0], y - drag.from[1]) : shifted(drag.box, x - drag.from[0], y - drag.from[1]);
    placed([...this.layer.children].find((each) => each.area === drag.area), drag.area.box);
  }

  #end(event) {
    const drag = this.#drag;
    this.#stop();
    if (!drag) return;
    if (!drag.ghost) {
      if (drag.isMoved) this.template.changed();
      return;
    }
    const { page, isSingle, lines } = this.place();
    const [x, y] = this.#at(event);
    const under = lines.find(({ box }) => x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3]);
    const box = drag.isMoved && drag.box ? drag.box : under?.box;
    if (!box) return;
    const inside = lines.filter((line) => isIn(line.box, box)).map(({ text }) => text);
    const text = (drag.isMoved ? inside.join("") : under.text).trim().slice(0, 64);
    this.template.add(this.tool(), box, isSingle ? null : page, { text: this.tool() === "anchor" ? text : "" });
  }

  #stop() {
    this.#drag?.ghost?.remove();
    this.#drag = null;
  }

  #key(event) {
    const area = event.target.closest(".area")?.area;
    const steps = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
    if (!area || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Delete" || event.key === "Backspace") this.template.remove(area);
    else if (event.key in steps) {
      area.box = event.shiftKey ? resized(area.box, ...steps[event.key]) : shifted(area.box, ...steps[event.key]);
      this.template.changed();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

function placed(box, [left, top, right, bottom]) {
  const percent = (share) => `${share * 100}%`;
  Object.assign(box.style, { left: percent(left), top: percent(top), width: percent(right - left), height: percent(bottom - top) });
}

function shifted([left, top, right, bottom], x, y) {
  const across = Math.min(1 - right, Math.max(-left, x));
  const down = Math.min(1 - bottom, Math.max(-top, y));
  return [left + across, top + down, right + across, bottom + down];
}

function resized([left, top, right, bottom], x, y) {
  return [left, top, clamped(Math.max(left + STEP, right + x)), clamped(Math.max(top + STEP, bottom + y))];
}

function isIn([left, top, right, bottom], box) {
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  return x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3];
}
