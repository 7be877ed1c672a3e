/** The workspace: connects the queue, the picture, the text, the corrections and the ways out. */

import { Problem } from "./api.js";
import { cropLine } from "./crop.js";
import { Edits } from "./edits.js";
import { History } from "./history.js";
import { JobBar } from "./job_bar.js";
import { readAny } from "./jobs.js";
import { Kept } from "./kept.js";
import { isDocument } from "./kinds.js";
import { Lines } from "./lines.js";
import { more } from "./more.js";
import { Out } from "./out.js";
import { turnPage } from "./page_turn.js";
import { Pager } from "./pager.js";
import { Picture } from "./picture.js";
import { Progress } from "./progress.js";
import { Queue } from "./queue.js";
import { Rail } from "./rail.js";
import { Removal } from "./removal.js";
import { reopen } from "./reopened.js";
import { Review } from "./review.js";
import { Selection } from "./selection.js";
import { $, language, options, shortcuts, voice } from "./shell.js";
import { TemplateSwitch } from "./template_switch.js";
import { TextPane } from "./text_pane.js";
import { Threshold } from "./threshold.js";
import { ViewTools } from "./view_tools.js";

const CROP_HEIGHT = 44;
const ENVELOPE_BYTES = 1024; // what multipart/form-data adds to a file, amply

const selection = new Selection();
const threshold = new Threshold(language);
const queue = new Queue(readAny, refuse);
const edits = new Edits();
const progress = new Progress(queue, language, voice);
const picture = new Picture($("stage"), selection, (scale) => {
  $("zoom-now").textContent = `${Math.round(scale * 100)} %`;
});
const lines = new Lines($("reading"), selection, language, {
  copy: (line) => out.copy(line.text, 1),
  correct: (line, text) => edits.correct(current, line, text),
  choose: (line, at, text) => {
    edits.choose(current, line, at, text);
    review.next();
  },
  next: () => review.next() && lines.edit(),
  crop: (line, page, width) => cropLine(picture.image, page, line.polygon, CROP_HEIGHT, width),
});
const out = new Out({ current: () => current, queue, options, selection, language, voice }, { shown: showText, edit: (index) => lines.edit(index), take: (line, text) => edits.correct(current, line, text) });
const review = new Review({ current: () => current, edits, lines, out, selection, threshold, language, voice }, (number) => openPage(number));
const { isDoubtful } = review;
const pager = new Pager(language, (number) => openPage(number));
const kept = new Kept(queue, () => voice.toast(language.say("kept.miss")));
const past = new History(queue, edits, () => voice.toast(language.say("history.miss")));
const removal = new Removal({ current: () => current, queue, past, language, options }, (item) => open(item));
const rail = new Rail($("rail-list"), queue, language, { open: (item) => open(item), remove });
const jobBar = new JobBar($("job-bar"), language, { remove });
const text = new TextPane({ lines, out, review, jobBar, threshold, language }, {
  again: () => removal.again(current),
  remove: () => remove(current),
  unlock,
});
const viewTools = new ViewTools(picture, isDoubtful, language);
const template = new TemplateSwitch($("template"), $("template-panel"), { current: () => current, queue, selection, picture, language, voice }, (item, number) => {
  item.page = number;
  open(item);
});
Object.assign(shortcuts.actions, {
  ArrowDown: () => lines.move(1),
  ArrowUp: () => lines.move(-1),
  j: () => lines.move(1),
  k: () => lines.move(-1),
  d: () => review.next(),
  e: () => lines.edit(),
  y: () => review.confirm(),
  z: () => review.undo(false),
  ...Object.fromEntries([1, 2, 3, 4, 5].map((number) => [number, () => lines.take(number - 1)])),
  c: () => out.copyLine(),
  a: () => out.copyAll(),
  v: () => out.turn(),
  "]": () => step(1),
  "[": () => step(-1),
  ">": () => turn(1),
  "<": () => turn(-1),
  r: () => $("turn").click(),
  b: () => $("show-boxes").click(),
  m: () => template.turn(),
  t: () => $("show-text").click(),
  "+": () => picture.zoom(1),
  "=": () => picture.zoom(1),
  "-": () => picture.zoom(-1),
  0: () => picture.fit(),
});

let current = null;

/* ---- in ---- */

/** Read files; one that was pasted is shown at once. */
export function take(files, isPasted = false) {
  const [first] = queue.add(files, options.choices);
  if (!current || isPasted) open(first);
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

/** Try again with a password. */
function unlock(password) {
  current.password = password;
  current.leaves?.close();
  openLeaves(current);
  queue.again(current, current.choices);
}

/** Forget a file; the keyboard goes on, too. */
function remove(item) {
  if (!removal.remove(item)) return;
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

function pageOf(item) {
  return item?.reading?.pages?.find((page) => page.number === item.page) ?? null;
}

function openPage(number) {
  current.page = number;
  selection.selected = null;
  showItem();
  $("reading").scrollTop = 0;
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
    viewTools.show(current, pageOf(current));
    lines.refresh(); // the chosen line can be cut out now
  });
  viewTools.show(current, pageOf(current));
  pager.show(current);
}

function showText() {
  text.show(current, pageOf(current));
}

/** Show the documents that this browser keeps. */
export async function openHistory() {
  const [{ historyDialog }] = await Promise.all([import("./history_dialog.js"), more(language)]);
  historyDialog(past, language, (found) => {
    const [item] = queue.restore([found]);
    past.adopt(item);
    open(item);
  });
}

/* ---- words ---- */

function rewrite() {
  threshold.rewrite();
  out.rewrite();
  template.rewrite();
  rail.rewrite();
  showItem();
  progress.show();
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
  progress.sending(item);
  if (item !== current) return;
  pager.show(item);
  if (!text.advance(item, pageOf(item))) showItem();
});
selection.addEventListener("select", () => {
  if (current) current.selected = selection.selected;
});
threshold.addEventListener("change", () => {
  lines.refresh();
  picture.refresh(isDoubtful);
  review.count();
});
edits.addEventListener("change", ({ detail: item }) => {
  if (item !== current) return;
  if (out.form === "lines") lines.refresh();
  else showText();
  picture.refresh(isDoubtful);
  review.count();
});
addEventListener("pagehide", () => lines.leave());
addEventListener("beforeunload", (event) => {
  lines.leave();
  const isUnread = queue.items.some((item) => (!item.leaves || item.isUnkept) && (item.state === "waiting" || item.state === "reading"));
  if (isUnread || past.isAtRisk) event.preventDefault();
});
language.addEventListener("change", rewrite);

$("clear").addEventListener("click", () => removal.clear());
$("again").addEventListener("click", () => removal.again(current));
$("page-previous").addEventListener("click", () => turn(-1));
$("page-next").addEventListener("click", () => turn(1));
$("turn").addEventListener("click", async () => (await turnPage(current, pageOf(current).number, picture.angle, { queue, language, voice })) && showItem());
picture.onlay = () => template.show();
rewrite();
reopen(kept, past, queue).then(({ items, isUnread }) => {
  if (items.length && !current) open(items[0]);
  if (isUnread) voice.toast(language.say("kept.again"));
});
