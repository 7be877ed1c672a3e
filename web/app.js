/** The page: connects the ways in, the queue, the picture, the text and the ways out. */

import { Problem } from "./api.js";
import { cropLine } from "./crop.js";
import { element } from "./element.js";
import { Intake } from "./intake.js";
import { readAny } from "./jobs.js";
import { Kept } from "./kept.js";
import { key, keyDialog } from "./key.js";
import { isDocument } from "./kinds.js";
import { Language } from "./language.js";
import { Lines } from "./lines.js";
import { tame } from "./menus.js";
import { Options } from "./options.js";
import { Out } from "./out.js";
import { Pager } from "./pager.js";
import { Picture } from "./picture.js";
import { Progress } from "./progress.js";
import { Queue } from "./queue.js";
import { Rail } from "./rail.js";
import { advance, pageCard, progressCard, quietCard, refusalCard, titleOf as problemTitle } from "./refusal.js";
import { Selection } from "./selection.js";
import { Shortcuts } from "./shortcuts.js";
import { Threshold } from "./threshold.js";
import { Voice } from "./voice.js";

const $ = (id) => document.getElementById(id);
const CROP_HEIGHT = 44;
const ENVELOPE_BYTES = 1024; // what multipart/form-data adds to a file, amply

const language = new Language();
await language.load();
key.askWith(keyDialog($("key-dialog"), (words) => language.say(words)));
const voice = new Voice($("status"), $("toast"));
const selection = new Selection();
const threshold = new Threshold(language);
const options = new Options($("options-form"), language);
const queue = new Queue(readAny, refuse);
const progress = new Progress(queue, language, voice);
const picture = new Picture($("stage"), selection, (scale) => {
  $("zoom-now").textContent = `${Math.round(scale * 100)} %`;
});
const lines = new Lines($("reading"), selection, language, {
  copy: (line) => out.copy(line.text, 1),
  corrected: () => {
    picture.refresh(isDoubtful);
    countDoubts();
  },
  crop: (line, page, width) => cropLine(picture.image, page, line.polygon, CROP_HEIGHT, width),
});
const out = new Out({ current: () => current, queue, options, selection, language, voice }, { shown: showText, edit: (index) => lines.edit(index) });
const pager = new Pager(language, (number) => openPage(number));
const kept = new Kept(queue, () => voice.toast(language.say("kept.miss")));
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
  c: () => out.copyLine(),
  a: () => out.copyAll(),
  v: () => out.turn(),
  "]": () => step(1),
  "[": () => step(-1),
  ">": () => turn(1),
  "<": () => turn(-1),
  r: () => $("turn").click(),
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
  openLeaves(item);
  document.body.dataset.view = item ? "work" : "welcome";
  showItem();
  rail.show(item);
  rail.reveal();
}

/** Fetch what draws the pages of a document, once one is looked at. */
function openLeaves(item) {
  const leaves = item?.leaves;
  if (leaves?.state !== "closed") return;
  leaves.addEventListener("change", () => current === item && showPicture(), { once: true });
  leaves.open(item.password);
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
  const number = pager.near(by);
  if (number) openPage(number);
}

/** Read the page on show again, turned a quarter further. Text that a PDF says itself is only shown turned. */
async function turnPage() {
  const item = current;
  const { number } = pageOf(item);
  const further = (picture.angle + 90) % 360;
  const here = item.reading.lines.filter((line) => line.page === number);
  if (here.length && here.every((line) => line.source === "pdf_text")) {
    item.views.set(number, further);
    showItem();
    return;
  }
  if (here.some((line) => line.checked) && !confirm(language.say("turn.lose"))) return;
  try {
    await queue.turn(item, number, further);
  } catch (problem) {
    voice.toast([problemTitle(problem, language), problem.detail].filter(Boolean).join(": "));
  }
}

function pageOf(item) {
  return item?.reading?.pages?.find((page) => page.number === item.page) ?? null;
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
  showPicture();
  showText();
}

/** The picture alone: the text beside it, and what is being typed there, stay as they are. */
function showPicture() {
  const numbers = pager.numbersOf(current);
  if (current && numbers.length && !numbers.includes(current.page)) [current.page] = numbers;
  $("file-name").textContent = current?.name ?? "";
  $("file-name").title = current?.name ?? "";
  picture.show(current, current?.page ?? 1, isDoubtful, () => {
    showPreview();
    if (pageOf(current)) selection.select(selection.selected, "picture"); // the line can be cut out now
  });
  showPreview();
  pager.show(current);
}

/** Say so where a page cannot be shown, and how it was turned. */
function showPreview() {
  const hidden = picture.cannotShow;
  const failed = current?.state === "failed";
  const needsPassword = current?.leaves?.needsPassword;
  document.body.toggleAttribute("data-blind", hidden && failed);
  $("stage-note").hidden = !hidden || !pageOf(current);
  $("stage-note").textContent = language.say(needsPassword ? "nopreview.password" : "nopreview");
  $("view-tools").hidden = hidden && failed;
  $("turn").disabled = current?.state !== "done" || Boolean(current.turning) || !pageOf(current);
  $("turned").hidden = !picture.angle;
  $("turned").textContent = language.say("turned", { n: picture.angle });
  $("turned").title = language.say("turned.hint", { n: picture.angle });
}

function showText() {
  const done = current?.state === "done";
  const page = pageOf(current);
  const here = page && current.turning?.number !== page.number ? current.reading.lines.filter((line) => line.page === page.number) : [];
  document.body.dataset.state = current?.state ?? "";
  $("lines-title").textContent = current?.reading ? titleOf(current.reading, here.length) : language.say("lines");
  $("reading-tools").hidden = !done;
  $("copy-all").disabled = !current?.reading?.lines.length;
  $("copy-page").hidden = !here.length || here.length === current.reading.lines.length;
  $("facts").textContent = done ? factsOf(current) : "";
  showJob();
  if (!here.length) lines.clear(cardFor(current));
  else if (out.form === "lines") lines.show(current, page, threshold.value);
  else out.show(lines, page);
  countDoubts();
}

/** How far a document is that is being read. */
function showJob() {
  const isRunning = current?.state === "reading" && current.pages?.total > 1;
  $("job-bar").hidden = !isRunning;
  const card = $("job-bar").firstChild;
  if (!isRunning) $("job-bar").replaceChildren();
  else if (card?.item === current && card.lang === language.tag) advance(card, current, language); // the keyboard may be on it
  else $("job-bar").replaceChildren(Object.assign(progressCard(current, language, { remove: () => remove(current) }), { item: current, lang: language.tag }));
}

function titleOf(reading, here) {
  const total = reading.lines.length;
  return reading.pages.length > 1 || current.state === "reading" ? language.say("title.page", { n: here, total }) : language.count("title.lines", total);
}

function cardFor(item) {
  if (!item) return "";
  if (item.state === "failed") {
    const unlock = (password) => {
      item.password = password;
      item.leaves?.close();
      openLeaves(item);
      queue.again(item, item.choices);
    };
    return refusalCard(item, language, { again: () => queue.again(item, options.choices), remove: () => remove(item), unlock });
  }
  const problem = item.reading?.page_errors?.find(({ page }) => page === item.page)?.error;
  if (problem) return pageCard(problem, language);
  if (item.turning) return quietCard(language.say("reading.title"), "", true);
  const page = pageOf(item);
  if (item.state === "reading" && item.pages?.total > 1 && !page) return quietCard(language.say("page.waiting"), "", true);
  if (item.state !== "done" && !page) return quietCard(language.say(`${item.state}.title`), "", item.state === "reading");
  const single = item.state === "done" && item.reading.pages.length < 2;
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
  return (current?.reading?.lines ?? []).flatMap((line, index) => (isDoubtful(line) ? [index] : []));
}

function countDoubts() {
  $("doubt-bar").hidden = !current?.reading?.lines.length;
  $("doubts").hidden = out.form !== "lines";
  $("copy-table").hidden = out.form === "lines" || out.form === "paragraphs";
  const n = doubts().length;
  $("doubt-count").textContent = n ? language.count("doubt", n) : language.say("doubt.none");
  $("doubt-next").disabled = !n;
}

function nextDoubt() {
  const all = doubts();
  if (!all.length) return;
  out.form = "lines";
  const next = all.find((index) => index > (selection.selected ?? -1)) ?? all[0];
  const { page } = current.reading.lines[next];
  if (page !== current.page) openPage(page);
  selection.select(next, "keys");
  lines.focus();
}

/* ---- words ---- */

function rewrite() {
  document.documentElement.lang = language.tag === "zh" ? "zh-CN" : "en";
  language.fill();
  $("language").textContent = language.other === "zh" ? "中文" : "English";
  $("language").lang = language.other;
  options.rewrite();
  shortcuts.rewrite();
  threshold.rewrite();
  out.rewrite();
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
  pager.show(item);
  const card = $("job-bar").firstChild;
  const isNews = Boolean(pageOf(item)) !== lines.isShown || item.reading?.page_errors?.some(({ page }) => page === item.page);
  if (!card || (isNews && item.page)) {
    showItem();
  } else {
    advance(card, item, language);
    $("lines-title").textContent = item.reading ? titleOf(item.reading, item.reading.lines.filter((line) => line.page === item.page).length) : language.say("lines");
    countDoubts();
  }
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
$("doubt-next").addEventListener("click", nextDoubt);
$("zoom-in").addEventListener("click", () => picture.zoom(1));
$("zoom-out").addEventListener("click", () => picture.zoom(-1));
$("zoom-fit").addEventListener("click", () => picture.fit());
$("page-previous").addEventListener("click", () => turn(-1));
$("page-next").addEventListener("click", () => turn(1));
$("turn").addEventListener("click", turnPage);
for (const [id, property] of [["show-boxes", "showsBoxes"], ["show-text", "showsText"]]) {
  $(id).addEventListener("click", () => {
    picture[property] = !picture[property];
    $(id).setAttribute("aria-pressed", String(picture[property]));
    picture.refresh(isDoubtful);
  });
}
for (const menu of document.querySelectorAll("details.menu")) tame(menu);
rewrite();
kept.restore().then((found) => {
  if (!found.length) return;
  const [first] = queue.restore(found);
  if (!current) open(first);
  voice.toast(language.say("kept.again"));
});
