/** The page: connects the ways in, the queue, the picture, the text and the ways out. */

import { Problem, readFile, renderFile } from "./api.js";
import { copyText } from "./clipboard.js";
import { cropLine } from "./crop.js";
import { element } from "./element.js";
import { objectOf, renamed, save, textOf, tsvOf } from "./exports.js";
import { Intake } from "./intake.js";
import { Language } from "./language.js";
import { Lines } from "./lines.js";
import { Options } from "./options.js";
import { Picture } from "./picture.js";
import { Queue } from "./queue.js";
import { Rail } from "./rail.js";
import { quietCard, refusalCard, titleOf } from "./refusal.js";
import { Selection } from "./selection.js";
import { Shortcuts } from "./shortcuts.js";
import { Threshold } from "./threshold.js";

const $ = (id) => document.getElementById(id);
const CROP_HEIGHT = 44;

const language = new Language();
const selection = new Selection();
const threshold = new Threshold(language);
const options = new Options($("options-form"), language);
const queue = new Queue(readFile, refuse);
const picture = new Picture($("stage"), selection, (scale) => {
  $("zoom-now").textContent = `${Math.round(scale * 100)} %`;
});
const lines = new Lines($("reading"), selection, language, {
  copy: (line) => copy(line.text, 1),
  corrected: () => {
    picture.refresh(isDoubtful);
    countDoubts();
  },
  crop: (line, page, width) => cropLine(picture.image, page, line.polygon, CROP_HEIGHT, width),
});
const rail = new Rail($("rail-list"), queue, language, { open: (item) => open(item), remove: (item) => queue.remove(item) });
const intake = new Intake({ take, miss: (key) => toast(language.say(key)), language });
const shortcuts = new Shortcuts($("help-dialog"), language, {
  o: () => intake.choose(),
  ArrowDown: () => lines.move(1),
  ArrowUp: () => lines.move(-1),
  j: () => lines.move(1),
  k: () => lines.move(-1),
  d: nextDoubt,
  e: () => lines.edit(),
  c: copyLine,
  a: copyAll,
  "]": () => step(1),
  "[": () => step(-1),
  ">": () => turn(1),
  "<": () => turn(-1),
  b: () => $("show-boxes").click(),
  t: () => $("show-text").click(),
  "+": () => picture.zoom(1),
  "=": () => picture.zoom(1),
  "-": () => picture.zoom(-1),
  0: () => picture.fit(),
  "?": () => shortcuts.open(),
});

let current = null;
let toastTimer = 0;

/* ---- in ---- */

function take(files) {
  const [first] = queue.add(files, options.choices);
  if (!current) open(first);
}

/** Refusals that need no upload: a server may cut off a body that is too large before it can say why. */
function refuse(file) {
  const limit = options.offered.limits.max_body_bytes;
  if (!limit || file.size <= limit) return null;
  const values = { size: language.size(file.size), limit: language.size(limit) };
  return new Problem({ slug: "too-large", title: "Too large", detail: language.say("problem.local-too-large.detail", values) });
}

/* ---- what is on show ---- */

function open(item) {
  current = item;
  selection.hover(null);
  selection.selected = item?.selected ?? null;
  document.body.dataset.view = item ? "work" : "welcome";
  showItem();
  rail.show(item);
  rail.reveal();
}

function step(by) {
  const at = queue.items.indexOf(current) + by;
  if (queue.items[at]) open(queue.items[at]);
}

function turn(by) {
  const pages = current?.reading?.pages ?? [];
  const at = pages.findIndex((page) => page.number === current.page) + by;
  if (pages[at]) openPage(pages[at].number);
}

function openPage(number) {
  current.page = number;
  selection.selected = null;
  showItem();
  $("reading").scrollTop = 0;
}

function isDoubtful(line) {
  return lines.isDoubtful(line, threshold.value);
}

function showItem() {
  const pages = current?.reading?.pages ?? [];
  if (current && pages.length && !pages.some((page) => page.number === current.page)) current.page = pages[0].number;
  $("file-name").textContent = current?.name ?? "";
  $("file-name").title = current?.name ?? "";
  picture.show(current, current?.page ?? 1, isDoubtful, (shown) => {
    $("stage-note").hidden = shown || current?.state !== "done";
    if (shown && current?.state === "done") selection.select(selection.selected, "picture"); // the crop can be cut now
  });
  $("stage-note").hidden = current?.state !== "done" || Boolean(picture.image) || (current.page === 1 && current.showable !== false);
  showPages(pages);
  showText();
}

function showPages(pages) {
  $("pages").hidden = pages.length < 2;
  const choices = pages.map(({ number }) => {
    const words = language.say("page.of", { n: number, total: pages.at(-1).number });
    return element("option", { value: number, selected: number === current.page }, words);
  });
  $("page").replaceChildren(...choices);
  $("page-previous").disabled = current?.page === pages[0]?.number;
  $("page-next").disabled = current?.page === pages.at(-1)?.number;
}

function showText() {
  const done = current?.state === "done";
  const page = current?.reading?.pages?.find((each) => each.number === current.page);
  const here = done ? current.reading.lines.filter((line) => line.page === current.page) : [];
  document.body.dataset.state = current?.state ?? "";
  $("lines-title").textContent = done ? language.count("title.lines", current.reading.lines.length) : language.say("lines");
  $("copy-all").disabled = !done || !current.reading.lines.length;
  $("download").classList.toggle("disabled", !done);
  $("again").hidden = !current || current.state === "waiting" || current.state === "reading" || current.state === "failed";
  $("facts").textContent = done ? factsOf(current) : "";
  if (here.length) {
    lines.show(current, page, threshold.value);
  } else {
    $("reading").replaceChildren(cardFor(current));
  }
  countDoubts();
}

function cardFor(item) {
  if (!item) return "";
  if (item.state === "failed") {
    return refusalCard(item, language, { again: () => queue.again(item, options.choices), remove: () => queue.remove(item) });
  }
  if (item.state !== "done") return quietCard(language.say(`${item.state}.title`), "", item.state === "reading");
  const single = item.reading.pages.length < 2;
  return quietCard(language.say(single ? "empty.title" : "empty.page"), single ? language.say("empty.hint") : "");
}

function factsOf(item) {
  const { model, timing_ms: timing = {}, request_id: request } = item.reading;
  const seconds = (ms) => (ms / 1000).toFixed(ms < 10_000 ? 2 : 1);
  const digest = model?.digest ? ` ${model.digest.replace("sha256:", "").slice(0, 8)}` : "";
  return [
    model?.name ? model.name + digest : "",
    language.say("facts.time", { seconds: seconds(item.spentMs) }),
    timing.total ? language.say("facts.server", { seconds: seconds(timing.total) }) : "",
    request ? language.say("facts.request", { id: request }) : "",
  ].filter(Boolean).join(" · ");
}

/* ---- doubts ---- */

function doubts() {
  return current?.state === "done" ? current.reading.lines.flatMap((line, index) => (isDoubtful(line) ? [index] : [])) : [];
}

function countDoubts() {
  const done = current?.state === "done" && current.reading.lines.length > 0;
  $("doubt-bar").hidden = !done;
  const n = doubts().length;
  $("doubt-count").textContent = n ? language.count("doubt", n) : language.say("doubt.none");
  $("doubt-next").disabled = !n;
}

function nextDoubt() {
  const all = doubts();
  if (!all.length) return;
  const next = all.find((index) => index > (selection.selected ?? -1)) ?? all[0];
  const { page } = current.reading.lines[next];
  if (page !== current.page) openPage(page);
  selection.select(next, "keys");
  lines.focus();
}

/* ---- out ---- */

async function copy(text, count) {
  if (!text) toast(language.say("copied.nothing"));
  else toast((await copyText(text)) ? language.count("copied", count) : language.say("copy.failed"));
}

function copyLine() {
  const line = current?.reading?.lines[selection.selected];
  if (line) copy(line.text, 1);
}

function copyAll() {
  if (current?.state === "done") copy(textOf(current.reading), current.reading.lines.length);
}

function downloads() {
  const { name } = current;
  const keep = (suffix, content, type) => keepFile(renamed(name, suffix), content, type);
  const own = {
    text: () => keep(".txt", `${textOf(current.reading)}\n`, "text/plain"),
    json: () => keep(".json", `${JSON.stringify(objectOf(current.reading), null, 1)}\n`, "application/json"),
    tsv: () => keep(".tsv", tsvOf(current.reading), "text/tab-separated-values"),
  };
  // What the page cannot write itself (hOCR, ALTO, searchable PDF) the service writes from the file.
  const others = options.offered.formats.filter(({ name: format }) => !(format in own) && format !== "jsonl");
  const item = current;
  const ask = async ({ name: format, suffix }) => {
    try {
      keepFile(renamed(item.name, suffix), await renderFile(item.file, item.choices, format));
    } catch (problem) {
      toast(`${titleOf(problem, language)}: ${problem.detail ?? ""}`);
    }
  };
  return [
    ...Object.entries(own).map(([format, act]) => [language.say(`download.${format}`), act, format]),
    ...others.map((format) => [language.say("download.other", { name: format.name }), () => ask(format), format.name]),
  ];
}

function keepFile(name, content, type) {
  save(name, content, type);
  toast(language.say("downloaded", { name }));
}

function fillDownloads() {
  const buttons = downloads().map(([words, act, format]) => {
    const onclick = () => {
      $("download").open = false;
      act();
    };
    return element("button", { type: "button", class: "menu-item", "data-format": format, onclick }, words);
  });
  $("download-list").replaceChildren(...buttons);
}

function allText() {
  const read = queue.items.filter((item) => item.state === "done");
  return read.map((item) => `=== ${item.name} ===\n${textOf(item.reading)}\n`).join("\n");
}

function allJsonLines() {
  const write = (item) => {
    if (item.state === "done") return objectOf(item.reading, item.name);
    const { slug, status, title, detail } = item.problem;
    return { file: item.name, error: { type: `/problems/${slug}`, title, status, detail } };
  };
  return queue.finished.map((item) => `${JSON.stringify(write(item))}\n`).join("");
}

/* ---- words ---- */

function toast(words) {
  say(words);
  $("toast").textContent = words;
  $("toast").classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => $("toast").classList.remove("shown"), 2500 + words.length * 40);
}

function say(words) {
  $("status").textContent = words;
}

function progressed(item) {
  const total = queue.items.length;
  const finished = queue.finished.length;
  const failed = queue.items.filter((each) => each.state === "failed").length;
  $("progress").max = Math.max(1, total);
  $("progress").value = finished;
  $("progress").hidden = finished === total;
  $("rail-progress").textContent = total > 1 || finished < total ? language.say("progress.now", { done: finished, total }) : "";
  $("rail-foot").hidden = queue.items.filter((each) => each.state === "done").length < 2;
  if (!item || (item.state !== "done" && item.state !== "failed")) return;
  const own = item.state === "done"
    ? language.count("say.done", item.reading.lines.length, { name: item.name })
    : language.say("say.failed", { name: item.name, title: titleOf(item.problem, language) });
  const all = total > 1 ? language.say("progress.say", { done: finished, total }) : "";
  say([own, all, failed && total > 1 ? language.say("progress.failed", { n: failed }) : ""].filter(Boolean).join(" "));
}

function rewrite() {
  document.documentElement.lang = language.tag === "zh" ? "zh-CN" : "en";
  language.fill();
  $("language").textContent = language.other === "zh" ? "中文" : "English";
  $("language").lang = language.other;
  $("stage-note").textContent = language.say("nopreview");
  options.rewrite();
  shortcuts.rewrite();
  threshold.rewrite();
  rail.rewrite();
  showItem();
  progressed(null);
}

function showOptions() {
  $("options-now").textContent = options.summary;
  intake.accept([...options.offered.types, ...options.offered.suffixes]);
  const { max_body_bytes: bytes, max_pages: pages } = options.offered.limits;
  const kinds = options.offered.types.map((type) => type.split("/")[1].replace("webp", "WebP")).map((kind) => (kind === "WebP" ? kind : kind.toUpperCase()));
  $("welcome-note").textContent = [
    kinds.length ? kinds.join(language.tag === "zh" ? "、" : ", ") : language.say("welcome.limits"),
    bytes ? language.say("welcome.limits.size", { size: language.size(bytes) }) : "",
    pages ? language.say("welcome.limits.pages", { n: pages }) : "",
  ].filter(Boolean).join(" · ");
}

/* ---- connections ---- */

queue.addEventListener("change", ({ detail: item }) => {
  if (current && !queue.items.includes(current)) open(queue.items.at(-1) ?? null);
  else rail.show(current);
  if (item && item === current) showItem();
  progressed(item);
});
selection.addEventListener("select", () => {
  if (current) current.selected = selection.selected;
});
threshold.addEventListener("change", () => {
  lines.setThreshold(threshold.value);
  picture.refresh(isDoubtful);
  countDoubts();
});
options.addEventListener("change", showOptions);
language.addEventListener("change", rewrite);

$("language").addEventListener("click", () => language.choose(language.other));
$("help").addEventListener("click", () => shortcuts.open());
$("clear").addEventListener("click", () => queue.clear());
$("again").addEventListener("click", () => queue.again(current, options.choices));
$("copy-all").addEventListener("click", copyAll);
$("doubt-next").addEventListener("click", nextDoubt);
$("all-copy").addEventListener("click", () => copy(allText(), queue.items.reduce((sum, item) => sum + (item.reading?.lines.length ?? 0), 0)));
$("all-text").addEventListener("click", () => keepFile("ocr.txt", allText(), "text/plain"));
$("all-jsonl").addEventListener("click", () => keepFile("ocr.jsonl", allJsonLines(), "application/jsonl"));
$("zoom-in").addEventListener("click", () => picture.zoom(1));
$("zoom-out").addEventListener("click", () => picture.zoom(-1));
$("zoom-fit").addEventListener("click", () => picture.fit());
$("page").addEventListener("change", () => openPage(Number($("page").value)));
$("page-previous").addEventListener("click", () => turn(-1));
$("page-next").addEventListener("click", () => turn(1));
for (const [id, property] of [["show-boxes", "showsBoxes"], ["show-text", "showsText"]]) {
  $(id).addEventListener("click", () => {
    picture[property] = !picture[property];
    $(id).setAttribute("aria-pressed", String(picture[property]));
    picture.refresh(isDoubtful);
  });
}
for (const menu of document.querySelectorAll("details.menu")) {
  menu.addEventListener("toggle", () => {
    if (menu.open && menu.id === "download") fillDownloads();
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
}

rewrite();
