/** The field into which a line is corrected: in the place of its text, with the caret where one has clicked. */

import { element } from "./element.js";

/**
 * Put a field into `cell`. `caret` is [start, end] of what is selected in it, or null for the end of the text.
 * `act` has finish(text or null, step): null if nothing is to be kept, step -1, 0 or 1 to the line to edit next, Infinity to
 * the next doubt, or
 * null if the keyboard has gone elsewhere. Returns a function that ends the editing and keeps what was typed.
 */
export function openField(cell, text, label, caret, act) {
  const field = element("input", { class: "field", value: text, spellcheck: "false", "aria-label": label });
  let isOpen = true;
  const finish = (isKept, step) => {
    if (!isOpen) return;
    isOpen = false;
    act.finish(isKept ? field.value : null, step);
  };
  const leave = () => finish(field.value !== text, null);
  field.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); // single keys are text here
    if (event.isComposing) return; // Enter, Escape and arrows belong to the Chinese input method
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) finish(true, Infinity);
    else if (event.key === "Enter") finish(true, 0);
    else if (event.key === "Escape") finish(false, 0);
    else if (event.key in steps) finish(field.value !== text, steps[event.key]);
    else return;
    event.preventDefault();
  });
  field.addEventListener("blur", leave);
  cell.replaceChildren(field);
  field.focus();
  const [start, end] = caret ?? [text.length, text.length];
  field.setSelectionRange(start, end);
  return leave;
}

/** Where in the text of `cell` a click was, as openField takes it; null if it was not on the text. */
export function caretAt(cell, { clientX, clientY }) {
  const position = document.caretPositionFromPoint?.(clientX, clientY);
  const range = position ? null : document.caretRangeFromPoint?.(clientX, clientY);
  const node = position?.offsetNode ?? range?.startContainer;
  if (!node || !cell.contains(node)) return null;
  const before = document.createRange();
  before.setStart(cell, 0);
  before.setEnd(node, position?.offset ?? range.startOffset);
  const at = before.toString().length;
  return [at, at];
}
