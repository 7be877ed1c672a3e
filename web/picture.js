/** One page of a file with a box around every line, in the page's own pixels; scales, scrolls, points and chooses. */

import { element, svgElement } from "./element.js";
import { handle } from "./gestures.js";

const STEP = 1.25;
const SMALLEST = 0.05;
const LARGEST = 8;
const LARGEST_FIT = 2; // a cut-out line need not be blown up until its pixels show
const SHARPEN_MS = 150; // after the last step of a zoom, pages of documents are drawn anew

export class Picture {
  #item = null;
  #number = 0;
  #page = null;
  #boxes = new Map(); // index of the line in the reading -> polygon
  #scale = null; // null: fit to the pane
  #isDoubtful = () => false;
  #onpreview = () => {};
  #undrawable = false; // the page on show, of a document whose other pages may be drawn
  #timer = 0;

  /** `stage` is the element to fill; `selection` is shared with the text; `onscale(scale)` hears the zoom. */
  constructor(stage, selection, onscale) {
    this.stage = stage;
    this.selection = selection;
    this.onscale = onscale;
    this.showsBoxes = true;
    this.showsText = false;
    this.image = null;
    this.onlay = () => {}; // called whenever the sheet has been laid anew, or taken away
    selection.addEventListener("hover", () => this.#mark());
    selection.addEventListener("select", (event) => {
      this.#mark();
      if (event.detail.origin !== "picture") this.#reveal();
    });
    handle(stage, (factor, at) => this.#item && this.#zoomTo(this.#shownScale() * factor, at));
    new ResizeObserver(() => this.#resize()).observe(stage);
  }

  /** Show page `number` of `item`. `isDoubtful(line)` decides on the colour; `onpreview()` is called once the browser has shown the file, or failed to. */
  show(item, number, isDoubtful, onpreview) {
    const sameSheet = item === this.#item && number === this.#number && this.sheet;
    this.#isDoubtful = isDoubtful;
    this.#onpreview = onpreview;
    this.#item = item;
    this.#number = number;
    this.#page = item?.reading?.pages?.find((page) => page.number === number) ?? null;
    if (!item) {
      this.stage.replaceChildren();
      this.sheet = null;
      this.leaf = null;
      this.image = null;
      this.onlay();
      return;
    }
    if (!sameSheet) this.#lay(item, number);
    this.#draw();
    this.#resize();
  }

  /** Whether this page is one that cannot be shown: a damaged document, no picture at all. */
  get cannotShow() {
    const leaves = this.#item?.leaves;
    if (leaves) return leaves.state === "failed" || this.#undrawable;
    return Boolean(this.#item) && (this.#number !== 1 || this.#item.showable === false);
  }

  /** The clockwise angle by which the page is shown turned. */
  get angle() {
    const { turning, views } = this.#item ?? {};
    if (turning?.number === this.#number) return turning.orientation;
    return views?.get(this.#number) ?? this.#page?.orientation ?? 0;
  }

  /** Refresh colours after the threshold has moved, and words after a correction. */
  refresh(isDoubtful) {
    this.#isDoubtful = isDoubtful;
    this.#draw();
  }

  zoom(direction) {
    this.#zoomTo(this.#shownScale() * STEP ** direction);
  }

  fit() {
    this.#scale = null;
    this.#resize();
  }

  /** The page's size in pixels, as given: the server's word, or until that comes the browser's. */
  get #size() {
    if (this.#page) return this.#page;
    if (this.#item?.leaves) return this.#item.leaves.sizeOf(this.#number);
    if (this.image?.naturalWidth) return { width: this.image.naturalWidth, height: this.image.naturalHeight };
    return null;
  }

  /** The page's size as it is shown. */
  get #shownSize() {
    const size = this.#size;
    return size && this.angle % 180 ? { width: size.height, height: size.width } : size;
  }

  #lay(item, number) {
    this.#scale = null;
    this.#undrawable = false;
    this.image = null;
    this.leaf = element("div", { class: "leaf" });
    this.sheet = element("div", { class: "sheet" }, this.leaf);
    this.svg = null;
    this.stage.replaceChildren(this.sheet);
    this.onlay();
    if (item.leaves) {
      this.leaf.classList.add("coming");
      const canvas = item.leaves.drawn(number);
      if (canvas) this.#put(canvas);
    } else if (number === 1 && item.showable !== false) {
      const image = element("img", { alt: "", draggable: "false" });
      image.addEventListener("load", () => this.#loaded(item, image, true));
      image.addEventListener("error", () => this.#loaded(item, image, false));
      image.src = item.url;
      this.leaf.append(image);
    }
  }

  #loaded(item, image, shown) {
    item.showable = shown;
    if (!image.isConnected) return;
    if (shown) this.image = image;
    else image.remove();
    this.#draw();
    this.#resize();
    this.#onpreview();
  }

  #put(canvas) {
    if (this.image !== canvas) this.image?.remove();
    this.image = canvas;
    this.leaf.classList.remove("coming");
    this.leaf.prepend(canvas);
  }

  /** Draw the page of a document as sharp as it is shown, then its neighbours. */
  async #sharpen() {
    const { leaf } = this;
    const { leaves } = this.#item ?? {};
    if (leaves?.state !== "open" || !leaf.isConnected) return;
    const number = this.#number;
    const wanted = leaf.offsetWidth * Math.min(window.devicePixelRatio || 1, 2);
    if (this.image?.width && this.image.asked >= leaves.widthFor(number, wanted)) return; // a canvas without a width was given back
    const isWanted = () => this.leaf === leaf;
    try {
      const canvas = await leaves.draw(number, wanted, isWanted);
      if (!canvas || !isWanted()) return;
      this.#put(canvas);
    } catch {
      if (!isWanted()) return;
      this.#undrawable = true;
      leaf.classList.remove("coming");
    }
    this.#draw();
    this.#resize();
    this.#onpreview();
    for (const near of [number + 1, number - 1]) {
      if (near >= 1 && near <= leaves.count) leaves.draw(near, wanted, isWanted).catch(() => {});
    }
  }

  #draw() {
    this.svg?.remove();
    this.svg = null;
    this.#boxes.clear();
    if (!this.sheet) return;
    const comes = this.leaf.classList.contains("coming") && !this.cannotShow;
    this.leaf.classList.toggle("coming", comes);
    this.sheet.classList.toggle("blank", !this.image && !comes);
    if (!this.#page) return;
    const { width, height } = this.#page;
    this.svg = svgElement("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    this.svg.classList.toggle("no-boxes", !this.showsBoxes);
    const showsText = this.showsText || (!this.image && !comes);
    this.svg.classList.toggle("with-text", showsText);
    this.#item.reading.lines.forEach((line, index) => {
      if (line.page !== this.#page.number) return;
      const box = svgElement("polygon", { points: line.polygon.map((point) => point.join(",")).join(" "), "data-line": index });
      box.classList.toggle("doubtful", this.#isDoubtful(line));
      box.addEventListener("pointerenter", () => this.selection.hover(index));
      box.addEventListener("pointerleave", () => this.selection.hover(null));
      box.addEventListener("click", () => this.selection.select(index, "picture"));
      this.#boxes.set(index, box);
      this.svg.append(box);
      if (showsText) this.svg.append(words(line));
    });
    this.leaf.append(this.svg);
    this.#mark();
  }

  #mark() {
    for (const [index, box] of this.#boxes) {
      box.classList.toggle("hovered", index === this.selection.hovered);
      box.classList.toggle("selected", index === this.selection.selected);
    }
  }

  #reveal() {
    const box = this.#boxes.get(this.selection.selected);
    if (!box) return;
    const seen = this.stage.getBoundingClientRect();
    const wanted = box.getBoundingClientRect();
    const margin = 24;
    const fits = (low, high, from, to) => low >= from + margin && high <= to - margin;
    const across = fits(wanted.left, wanted.right, seen.left, seen.right);
    const down = fits(wanted.top, wanted.bottom, seen.top, seen.bottom);
    if (across && down) return;
    this.stage.scrollBy({
      left: across ? 0 : Math.min(wanted.left - seen.left - margin, (wanted.left + wanted.right - seen.left - seen.right) / 2),
      top: down ? 0 : (wanted.top + wanted.bottom - seen.top - seen.bottom) / 2,
      behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth",
    });
  }

  #zoomTo(scale, at = null) {
    const before = this.#shownScale();
    this.#scale = Math.min(LARGEST, Math.max(SMALLEST, scale));
    const frame = this.stage.getBoundingClientRect();
    const x = at ? at.clientX - frame.left : frame.width / 2;
    const y = at ? at.clientY - frame.top : frame.height / 2;
    const ratio = this.#scale / before;
    const [left, top] = [(this.stage.scrollLeft + x) * ratio - x, (this.stage.scrollTop + y) * ratio - y];
    this.#resize();
    this.stage.scrollTo({ left, top, behavior: "instant" });
  }

  #shownScale() {
    return this.#scale ?? this.#fitScale();
  }

  #fitScale() {
    const size = this.#shownSize;
    if (!size) return 1;
    const style = getComputedStyle(this.stage);
    const across = this.stage.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const down = this.stage.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
    const byWidth = Math.min(across / size.width, LARGEST_FIT);
    const whole = Math.min(byWidth, down / size.height);
    // A long receipt shown whole would be a thread: then fill the width and scroll.
    return Math.max(whole < byWidth / 2 ? byWidth : whole, 0.01);
  }

  #resize() {
    const size = this.#size;
    if (!this.sheet) return;
    this.sheet.hidden = !size;
    if (!size) return;
    const scale = this.#shownScale();
    const shown = this.#shownSize;
    this.sheet.style.width = `${Math.round(shown.width * scale)}px`;
    this.sheet.style.height = `${Math.round(shown.height * scale)}px`;
    this.leaf.style.width = `${Math.round(size.width * scale)}px`;
    this.leaf.style.height = `${Math.round(size.height * scale)}px`;
    this.leaf.style.transform = `translate(-50%, -50%) rotate(${this.angle}deg)`;
    this.onscale(scale);
    clearTimeout(this.#timer);
    if (this.#item.leaves) this.#timer = setTimeout(() => this.#sharpen(), this.image ? SHARPEN_MS : 0);
  }
}

/** The text of a line, stretched to its box and turned with it. */
function words(line) {
  const [a, b, , d] = line.polygon;
  const width = Math.hypot(b[0] - a[0], b[1] - a[1]);
  const height = Math.hypot(d[0] - a[0], d[1] - a[1]);
  const angle = (Math.atan2(b[1] - a[1], b[0] - a[0]) * 180) / Math.PI;
  const text = svgElement("text", {
    transform: `translate(${a[0]} ${a[1]}) rotate(${angle})`,
    x: height * 0.1,
    y: height * 0.76,
    "font-size": height * 0.72,
    textLength: Math.max(1, width - height * 0.2),
    lengthAdjust: "spacingAndGlyphs",
  });
  text.textContent = line.text;
  return text;
}
