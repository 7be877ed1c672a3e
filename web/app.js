/** The page: connects the ways in, the queue, the picture, the text and the ways out. */

import { Problem } from "./api.js";
import { copyText } from "./clipboard.js";
import { cropLine } from "./crop.js";
import { Downloads } from "./downloads.js";
import { element } from "./element.js";
import { allJsonLines, allText, textOf } from "./exports.js";
import { Intake } from "./intake.js";
import { isDocument, readAny } from "./jobs.js";
import { Language } from "./language.js";
import { Lines } from "./lines.js";
import { tame } from "./menus.js";
import { Options } from "./options.js";
import { Picture } from "./picture.js";
import { Progress } from "./progress.js";
import { Queue } from "./queue.js";
import { Rail } from "./rail.js";
import { advance, progressCard, quietCard, refusalCard } from "./refusal.js";
import { Selection } from "./selection.js";
import { Shortcuts } from "./shortcuts.js";
import { Threshold } from "./threshold.js";
import { Voice } from "./voice.js";

const $ = (id) => document.getElementById(id);
const CROP_HEIGHT = 44;
const ENVELOPE_BYTES = 1024; // what multipart/form-data adds to a file, amply

const language = new Language();
const voice = new Voice($("status"), $("toast"));
const selection = new Selection();
const threshold = new Threshold(language);
const options = new Options($("options-form"), language);
const queue = new Queue(readAny, refuse);
const progress = new Progress(queue, language, voice);
const downloads = new Downloads($("download"), $("download-list"), language, voice);
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
const rail = new Rail($("rail-list"), queue, language, { open: (item) => open(item), remove });
const intake = new Intake({ take, miss: (key, values) => voice.toast(language.say(key, values)), language });
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

/* ---- in ---- */

function take(files) {
  const [first] = queue.add(files, options.choices);
  if (!current) open(first);
}

/** Refusals that need no upload: a server may cut off a body that is too large before it can say why. */
function refuse(file) {
  const { max_body_bytes: most, max_job_bytes: mostOfJob } = options.offered.limits;
  const limit = isDocument(file) ? (mostOfJob ?? most) : most;
  if (!limit || file.size + ENVELOPE_BYTES <= limit) return null;
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

/** Forget a file and go on with its neighbour, the keyboard too. */
function remove(item) {
  const at = queue.items.indexOf(item);
  if (item === current) open(queue.items[at + 1] ?? queue.items[at - 1] ?? null);
  queue.remove(item);
  if (current) rail.focus();
  else $("welcome-choose").focus();
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
  picture.show(current, current?.page ?? 1, isDoubtful, () => {
    showPreview();
    if (current?.state === "done") selection.select(selection.selected, "picture"); // the line can be cut out now
  });
  showPreview();
  showPages(pages);
  showText();
}

/** Say so where the browser cannot show the file. */
function showPreview() {
  const hidden = picture.cannotShow;
  const failed = current?.state === "failed";
  document.body.toggleAttribute("data-blind", hidden && failed);
  $("stage-note").hidden = !hidden || current?.state !== "done";
  $("view-tools").hidden = hidden && failed;
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
  $("lines-title").textContent = done ? titleOf(current.reading, here.length) : language.say("lines");
  $("reading-tools").hidden = !done;
  $("copy-all").disabled = !current?.reading?.lines.length;
  $("copy-page").hidden = !here.length || here.length === current.reading.lines.length;
  $("facts").textContent = done ? factsOf(current) : "";
  if (here.length) lines.show(current, page, threshold.value);
  else lines.clear(cardFor(current));
  countDoubts();
}

function titleOf(reading, here) {
  const total = reading.lines.length;
  return reading.pages.length > 1 ? language.say("title.page", { n: here, total }) : language.count("title.lines", total);
}

function cardFor(item) {
  if (!item) return "";
  if (item.state === "failed") {
    return refusalCard(item, language, { again: () => queue.again(item, options.choices), remove: () => remove(item) });
  }
  if (item.state === "reading" && item.pages?.total > 1) return progressCard(item, language, { remove: () => remove(item) });
  if (item.state !== "done") return quietCard(language.say(`${item.state}.title`), "", item.state === "reading");
  const single = item.reading.pages.length < 2;
  return quietCard(language.say(single ? "empty.title" : "empty.page"), single ? language.say("empty.hint") : "");
}

function factsOf(item) {
  const { model, timing_ms: timing = {}, request_id: request, page_errors: errors = [] } = item.reading;
  const seconds = (ms) => (ms / 1000).toFixed(ms < 10_000 ? 2 : 1);
  const digest = model?.digest ? ` ${model.digest.replace("sha256:", "").slice(0, 8)}` : "";
  return [
    model?.name ? model.name + digest : "",
    language.say("facts.time", { seconds: seconds(item.spentMs) }),
    errors.length ? language.count("facts.failed", errors.length) : "",
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
  if (!text) voice.toast(language.say("copied.nothing"));
  else voice.toast((await copyText(text)) ? language.count("copied", count) : language.say("copy.failed"));
}

function copyLine() {
  const line = current?.reading?.lines[selection.selected];
  if (line) copy(line.text, 1);
}

function countLines(items) {
  return items.reduce((sum, item) => sum + (item.reading?.lines.length ?? 0), 0);
}

function copyPage() {
  copy(textOf(current.reading, current.page), current.reading.lines.filter((line) => line.page === current.page).length);
}

function copyAll() {
  if (current?.state === "done") copy(textOf(current.reading), current.reading.lines.length);
}

/* ---- words ---- */

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
  progress.show();
}

function showOptions() {
  $("options-now").textContent = options.summary;
  intake.accept([...options.offered.types, ...options.offered.suffixes]);
  const { max_body_bytes: bytes, max_job_pages: pages } = options.offered.limits;
  const kindOf = (type) => (type === "image/webp" ? "WebP" : type.split("/")[1].toUpperCase());
  const kinds = options.offered.types.map(kindOf);
  const facts = [
    kinds.length ? kinds.join(language.tag === "zh" ? "、" : ", ") : language.say("welcome.limits"),
    bytes ? language.say("welcome.limits.size", { size: language.size(bytes) }) : "",
    pages ? language.say("welcome.limits.pages", { n: pages }) : "",
  ];
  $("welcome-note").replaceChildren(...facts.filter(Boolean).map((words) => element("span", {}, words)));
}

/* ---- connections ---- */

queue.addEventListener("change", ({ detail: item }) => {
  if (current && !queue.items.includes(current)) open(queue.items[0] ?? null);
  else rail.show(current);
  if (item && item === current) {
    selection.selected = item.selected;
    showItem();
  }
  progress.show(item);
});
queue.addEventListener("progress", ({ detail: item }) => {
  rail.show(current);
  if (item !== current) return;
  const card = $("reading").querySelector(".pages-card");
  if (card) advance(card, item, language);
  else showText();
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
$("copy-page").addEventListener("click", copyPage);
$("copy-all").addEventListener("click", copyAll);
$("doubt-next").addEventListener("click", nextDoubt);
$("all-copy").addEventListener("click", () => copy(allText(queue.items), countLines(queue.items)));
$("all-text").addEventListener("click", () => downloads.keep("ocr.txt", allText(queue.items), "text/plain"));
$("all-jsonl").addEventListener("click", () => downloads.keep("ocr.jsonl", allJsonLines(queue.finished), "application/jsonl"));
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
for (const menu of document.querySelectorAll("details.menu")) tame(menu);
$("download").addEventListener("toggle", () => {
  if ($("download").open) downloads.fill(current, options.offered.formats);
});

rewrite();
