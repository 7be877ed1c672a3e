/** The dialog of the documents that this browser keeps: opened again, erased one by one or all, or not kept any more. */

import { element, icon } from "./element.js";

/** Show what `history` keeps; `open(document)` gets one that is chosen, as Queue.restore takes it. */
export async function historyDialog(history, language, open) {
  const list = element("ol", { class: "history-list" });
  const title = element("h2", { id: "history-title" }, language.say("history"));
  const close = element("button", { type: "submit", class: "tool", "aria-label": language.say("close"), title: language.say("close") }, icon("close"));
  const keep = element("input", { type: "checkbox", id: "history-keep", checked: history.isOn });
  const eraseAll = element("button", { type: "button", class: "button" }, language.say("history.erase-all"));
  const dialog = element(
    "dialog",
    { class: "help history-dialog", "aria-labelledby": "history-title" },
    element(
      "form",
      { method: "dialog" },
      element("div", { class: "help-head" }, title, close),
      list,
      element("label", { class: "check" }, keep, element("span", {}, language.say("history.keep"))),
      element("p", { class: "hint" }, language.say("history.note")),
      element("p", { class: "card-actions" }, eraseAll),
    ),
  );

  async function fill() {
    const [documents, others] = await Promise.all([history.list(), history.visits.others()]);
    const elsewhere = new Set(others.flatMap(({ held }) => held));
    const here = new Set(history.queue.items.map((item) => item.kept));
    const entry = (about) => {
      const state = here.has(about.id) ? "here" : elsewhere.has(about.id) ? "elsewhere" : "open";
      const take = async () => {
        const found = await history.load(about.id);
        dialog.close();
        if (found) open(found);
      };
      const erase = async () => {
        await history.erase(about.id);
        await fill();
        (list.querySelector("button:not(:disabled)") ?? close).focus();
      };
      const words = language.say("history.erase", { name: about.name });
      const facts = [new Date(about.saved).toLocaleString(language.tag === "zh" ? "zh-CN" : undefined), language.count("history.facts", about.lines, { size: language.size(about.size) })];
      return element(
        "li",
        {},
        element("span", { class: "history-words" }, element("b", {}, about.name), element("span", { class: "hint" }, facts.join(" · "))),
        element("button", { type: "button", class: "button small", disabled: state !== "open", onclick: take }, language.say(`history.${state}`)),
        element("button", { type: "button", class: "tool", disabled: state !== "open", "aria-label": words, title: words, onclick: erase }, icon("close")),
      );
    };
    list.replaceChildren(...documents.map(entry));
    if (!documents.length) list.replaceChildren(element("li", {}, language.say("history.none")));
    eraseAll.disabled = !documents.length;
  }

  eraseAll.addEventListener("click", async () => {
    if (!confirm(language.say("history.sure"))) return;
    await history.eraseAll();
    await fill();
  });
  keep.addEventListener("change", async () => {
    if (!keep.checked && (await history.list()).length && !confirm(language.say("history.off-sure"))) {
      keep.checked = true;
      return;
    }
    await history.turn(keep.checked);
    await fill();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  await fill();
  document.body.append(dialog);
  dialog.showModal();
}
