/** The first view, and the ways in. What reads, shows and corrects is fetched with the first file (work.js). */

import { element } from "./element.js";
import { Intake } from "./intake.js";
import { tame } from "./menus.js";
import { more } from "./more.js";
import { $, language, options, shortcuts, voice } from "./shell.js";

const BEGUN = ["ocrsvc.visit", "ocrsvc.tab"]; // in sessionStorage, if this tab had documents before a reload
const KEPT = "ocrsvc"; // database of documents that are being read, perhaps by a tab that is gone

let work = null;
let live = null;

/** The part of the page that works on files, fetched when it is needed first; null if it cannot be fetched. */
async function workspace() {
  try {
    work ??= Promise.all([import("./work.js"), more(language, "workspace.css")]);
    const [found] = await work;
    return found;
  } catch {
    work = null; // a lost connection may come back
    missed();
    return null;
  }
}

/** Show the figures of the service, or hide them. */
async function turnLive() {
  try {
    live ??= Promise.all([import("./live_panel.js"), more(language, "live.css")]).then(([{ LivePanel }]) => new LivePanel(language));
    (await live).turn();
  } catch {
    live = null;
    missed();
  }
}

function missed() {
  voice.toast(`${language.say("problem.network.title")}. ${language.say("do.network")}`);
}

const intake = new Intake({
  take: async (files, isPasted) => (await workspace())?.take(files, isPasted),
  miss: (key, values) => voice.toast(language.say(key, values)),
  language,
});
Object.assign(shortcuts.actions, { o: () => intake.choose(), l: turnLive, "?": () => shortcuts.open() });

function rewrite() {
  document.documentElement.lang = language.tag === "zh" ? "zh-CN" : "en";
  language.fill();
  $("language").textContent = language.other === "zh" ? "中文" : "English";
  $("language").lang = language.other;
  options.rewrite();
  shortcuts.rewrite();
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

/** Whether there may be documents of before a reload. Neither question creates anything. */
async function hasBegun() {
  try {
    if (BEGUN.some((name) => sessionStorage.getItem(name))) return true;
    return !indexedDB.databases || (await indexedDB.databases()).some(({ name }) => name === KEPT);
  } catch {
    return false;
  }
}

options.addEventListener("change", showOptions);
language.addEventListener("change", rewrite);
$("language").addEventListener("click", () => language.choose(language.other));
$("help").addEventListener("click", () => shortcuts.open());
for (const id of ["live", "help-live"]) $(id).addEventListener("click", turnLive);
$("history").addEventListener("click", async () => (await workspace())?.openHistory());
// By the time that a file has been chosen, what reads it is there.
for (const id of ["choose", "welcome-choose", "photo", "welcome-photo"]) $(id).addEventListener("click", workspace);
for (const menu of document.querySelectorAll("details.menu")) tame(menu);
rewrite();
if (await hasBegun()) workspace();
