/** Puts text on the clipboard; also over plain HTTP on a company's network, where navigator.clipboard is absent. */

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyByCommand({ "text/plain": text });
  }
}

/** Copy rows of texts as a table, for spreadsheets and word processors; returns whether it worked. */
export async function copyTable(rows) {
  const escaped = (text) => text.replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign]);
  const cells = (row) => row.map((text) => `<td>${escaped(text)}</td>`).join("");
  const forms = {
    "text/plain": rows.map((row) => row.map((text) => text.replace(/[\t\n]/g, " ")).join("\t")).join("\n"),
    "text/html": `<meta charset="utf-8"><table>${rows.map((row) => `<tr>${cells(row)}</tr>`).join("")}</table>`,
  };
  try {
    const blobs = Object.entries(forms).map(([type, content]) => [type, new Blob([content], { type })]);
    await navigator.clipboard.write([new ClipboardItem(Object.fromEntries(blobs))]);
    return true;
  } catch {
    return copyByCommand(forms);
  }
}

function copyByCommand(forms) {
  const before = document.activeElement;
  const carrier = document.createElement("textarea");
  carrier.value = forms["text/plain"];
  carrier.className = "hidden-input";
  const write = (event) => {
    event.preventDefault();
    for (const [type, content] of Object.entries(forms)) event.clipboardData.setData(type, content);
  };
  document.body.append(carrier);
  carrier.select();
  document.addEventListener("copy", write, { once: true });
  let copied = false;
  try {
    copied = document.execCommand("copy");
  } catch {
    copied = false;
  }
  document.removeEventListener("copy", write);
  carrier.remove();
  before?.focus?.({ preventScroll: true });
  return copied;
}
