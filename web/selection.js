/** Which line is pointed at and which is chosen: what the picture and the text have in common. */

export class Selection extends EventTarget {
  hovered = null;
  selected = null;

  /** Point at line `index` of the reading, or at none (null); dispatches "hover". */
  hover(index) {
    if (index === this.hovered) return;
    this.hovered = index;
    this.dispatchEvent(new Event("hover"));
  }

  /** Choose line `index`, or none (null). `origin`, "picture" or "lines", is where no scrolling is wanted. */
  select(index, origin = "") {
    this.selected = index;
    this.dispatchEvent(new CustomEvent("select", { detail: { origin } }));
  }
}
