/** What is shown in place of a text: why a file was not read and what to do, or that there is nothing to show yet. */

import { element, icon } from "./element.js";

/** The problem's title: the server's, or a translation where there is one. */
export function titleOf(problem, language) {
  const key = `title.${problem.slug}`;
  if (language.has(key)) return language.say(key);
  if (problem.slug === "network") return language.say("problem.network.title");
  return problem.title || language.say("problem.http.title", { status: problem.status });
}

const PASSWORD = new Set(["password-required", "wrong-password"]);

/** What stands in the place of the text of `item`, of which `page` is on show (null: not read); `act` as refusalCard takes it. */
export function cardFor(item, page, language, act) {
  if (!item) return "";
  if (item.problem) return refusalCard(item, language, act);
  const problem = item.reading?.page_errors?.find(({ page: number }) => number === item.page)?.error;
  if (problem) return pageCard(problem, language);
  if (item.turning) return quietCard(language.say("reading.title"), "", true);
  if (item.state === "reading" && item.sent) return quietCard(language.say("sent.title"), "", true);
  if (item.state === "reading" && item.pages?.total > 1 && !page) return quietCard(language.say("page.waiting"), "", true);
  if (item.state !== "done" && !page) return quietCard(language.say(`${item.state}.title`), "", item.state === "reading");
  const single = item.state === "done" && item.reading.pages.length < 2;
  return quietCard(language.say(single ? "empty.title" : "empty.page"), single ? language.say("empty.hint") : "");
}

/** A card about one file that was not read, or not yet. `act` has again(), remove() and unlock(password). */
function refusalCard(item, language, act) {
  const { problem } = item;
  if (PASSWORD.has(problem.slug)) return passwordCard(item, language, act);
  const own = problem.status && language.has(`detail.${problem.slug}`) ? language.say(`detail.${problem.slug}`) : "";
  const detail = own || problem.detail || language.say(language.has(`problem.${problem.slug}.detail`) ? `problem.${problem.slug}.detail` : "problem.http.detail");
  const advice = language.has(`do.${problem.slug}`) ? `do.${problem.slug}` : "do.other";
  const facts = [item.name, language.size(item.file.size), problem.status ? `HTTP ${problem.status}` : "", problem.requestId && language.say("facts.request", { id: problem.requestId })];
  return element(
    "div",
    { class: "card refusal" },
    element("p", { class: "card-title" }, icon("warning"), titleOf(problem, language)),
    element("p", { class: "card-detail", lang: problem.status && problem.title && !own ? "en" : null }, detail),
    element("p", { class: "card-advice" }, element("strong", {}, language.say("problem.what")), " ", language.say(advice)),
    element(
      "p",
      { class: "card-actions" },
      element("button", { type: "button", class: problem.isTemporary ? "button primary" : "button", onclick: act.again }, icon("again"), language.say("retry")),
      element("button", { type: "button", class: "button", onclick: act.remove }, icon("close"), language.say("remove", { name: "" }).trim()),
    ),
    own && problem.detail ? element("p", { class: "card-facts", lang: "en" }, problem.detail) : "", // the server's word, for who has to ask
    element("p", { class: "card-facts" }, facts.filter(Boolean).join(" · ")),
  );
}

/** A card that asks for the password of a PDF. */
function passwordCard(item, language, act) {
  const isWrong = item.problem.slug === "wrong-password";
  const field = element("input", {
    type: "password",
    class: "field",
    id: "password",
    maxlength: "127",
    autocomplete: "off",
    required: true,
    "aria-invalid": isWrong,
    "aria-describedby": "password-hint",
  });
  const onsubmit = (event) => {
    event.preventDefault();
    act.unlock(field.value);
  };
  return element(
    "form",
    { class: "card password-card", onsubmit },
    element("p", { class: isWrong ? "card-title is-wrong" : "card-title" }, icon("lock"), titleOf(item.problem, language)),
    element("label", { class: "card-advice", for: "password" }, language.say(isWrong ? "password.wrong" : "password.ask", { name: item.name })),
    field,
    element("p", { class: "hint", id: "password-hint" }, language.say("password.hint")),
    element(
      "p",
      { class: "card-actions" },
      element("button", { type: "submit", class: "button primary" }, language.say("password.open")),
      element("button", { type: "button", class: "button", onclick: act.remove }, icon("close"), language.say("remove", { name: "" }).trim()),
    ),
  );
}

/** A card about one page that was not read; the others were. */
function pageCard(problem, language) {
  const known = { slug: String(problem.type ?? "").split("/").pop(), ...problem };
  return element(
    "div",
    { class: "card refusal" },
    element("p", { class: "card-title" }, icon("warning"), language.say("page.failed")),
    element("p", { class: "card-detail" }, titleOf(known, language)),
    problem.detail ? element("p", { class: "card-detail", lang: "en" }, problem.detail) : "",
  );
}

/** A quiet card: waiting, reading, or no text on the page. */
function quietCard(title, hint = "", busy = false) {
  const bars = busy ? element("div", { class: "bars", "aria-hidden": "true" }, element("i"), element("i"), element("i"), element("i")) : "";
  return element("div", { class: "card quiet-card" }, bars, element("p", { class: "card-title" }, title), hint ? element("p", { class: "card-advice" }, hint) : "");
}
