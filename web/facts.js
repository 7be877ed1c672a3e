/** A reading in a few words: how many lines, by which model, in what time. */

/** The title above the text; `here` is the number of lines of the page on show. */
export function titleOf(item, here, language) {
  const { lines, pages } = item.reading;
  const isPart = pages.length > 1 || item.state === "reading";
  return isPart ? language.say("title.page", { n: here, total: lines.length }) : language.count("title.lines", lines.length);
}

/** Model, times and number of the request of an item that has been read. */
export function factsOf(item, language) {
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
