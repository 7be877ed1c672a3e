/** Puts text on the clipboard; also over plain HTTP on a company's network, where navigator.clipboard is absent. */

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyByCommand(text);
  }
}

function copyByCommand(text) {
  const before = document.activeElement;
  const carrier = document.createElement("textarea");
  carrier.value = text;
  carrier.className = "hidden-input";
  document.body.append(carrier);
  carrier.select();
  let copied = false;
  try {
    copied = document.execCommand("copy");
  } catch {
    copied = false;
  }
  carrier.remove();
  before?.focus?.({ preventScroll: true });
  return copied;
}
