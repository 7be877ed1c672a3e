/** What is shown in place of a text: why a file was not read and what to do, or that there is nothing to show yet. */

import { element, icon } from "./element.js";

/** The problem's title: the server's, or a translation where there is one. */
export function titleOf(problem, language) {
  const key = `title.${problem.slug}`;
  if (language.has(key)) return language.say(key);
  if (problem.slug === "network") return language.say("problem.network.title");
  return problem.title || language.say("problem.http.title", { status: problem.status });
}

/** A card about one failed file. `act` has again() and remove(). */
export function refusalCard(item, language, act) {
  const { problem } = item;
  const detail = problem.detail || language.say(problem.slug === "network" ? "problem.network.detail" : "problem.http.detail");
  const advice = language.has(`do.${problem.slug}`) ? `do.${problem.slug}` : "do.other";
  const facts = [item.name, language.size(item.file.size), problem.status ? `HTTP ${problem.status}` : "", problem.requestId && language.say("facts.request", { id: problem.requestId })];
  return element(
    "div",
    { class: "card refusal" },
    element("p", { class: "card-title" }, icon("warning"), titleOf(problem, language)),
    element("p", { class: "card-detail", lang: problem.title ? "en" : null }, detail),
    element("p", { class: "card-advice" }, element("strong", {}, language.say("problem.what")), " ", language.say(advice)),
    element(
      "p",
      { class: "card-actions" },
      element("button", { type: "button", class: problem.isTemporary ? "button primary" : "button", onclick: act.again }, icon("again"), language.say("retry")),
      element("button", { type: "button", class: "button", onclick: act.remove }, icon("close"), language.say("remove", { name: "" }).trim()),
    ),
    element("p", { class: "card-facts" }, facts.filter(Boolean).join(" · ")),
  );
}

/** A card about a document that is being read, with its pages and a way to stop it. `act` has remove(). */
export function progressCard(item, language, act) {
  const bar = element("progress", { "aria-label": language.say("pages.read") });
  const words = element("p", { class: "card-advice pages-now" });
  const stop = { type: "button", class: "button", onclick: act.remove };
  const card = element(
    "div",
    { class: "card quiet-card pages-card" },
    element("p", { class: "card-title" }, language.say("reading.title")),
    bar,
    words,
    element("p", { class: "card-actions" }, element("button", stop, icon("close"), language.say("cancel"))),
  );
  advance(card, item, language);
  return card;
}

/** Bring a progressCard up to date; the keyboard stays where it is. */
export function advance(card, item, language) {
  const { read, failed, total } = item.pages;
  const bar = card.querySelector("progress");
  bar.max = total;
  bar.value = read + failed;
  card.querySelector(".pages-now").textContent = language.say("pages.now", { n: read + failed, total });
}

/** A quiet card: waiting, reading, or no text on the page. */
export function quietCard(title, hint = "", busy = false) {
  const bars = busy ? element("div", { class: "bars", "aria-hidden": "true" }, element("i"), element("i"), element("i"), element("i")) : "";
  return element("div", { class: "card quiet-card" }, bars, element("p", { class: "card-title" }, title), hint ? element("p", { class: "card-advice" }, hint) : "");
}
