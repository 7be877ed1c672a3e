/** The service's HTTP interface: the options it offers, one file in, one reading out, problems as RFC 9457 has them. */

import { key } from "./key.js";
import { post } from "./upload.js";

const AGAIN_LATER = new Set([429, 502, 503, 504]);

/** Why a file was not read. `slug` is the last part of the problem's type; words are the server's where it gave any. */
export class Problem extends Error {
  constructor({ slug, status = 0, title = "", detail = "", requestId = "", retryAfterSeconds = 0 }) {
    super(detail || title || slug);
    Object.assign(this, { slug, status, title, detail, requestId, retryAfterSeconds });
  }

  /** The server is there but has no room now: worth asking again without bothering anybody. */
  get isBusy() {
    return this.status === 503 || this.status === 429;
  }

  /** There is no server at present, or a proxy that finds none: it may be restarted. */
  get isUnanswered() {
    return this.slug === "network" || this.status === 502;
  }

  /** Asking again may help. */
  get isTemporary() {
    return this.isUnanswered || AGAIN_LATER.has(this.status);
  }
}

/** What GET /api/options says: modes, models, formats, charsets, limits. */
export async function fetchOptions() {
  const answer = await send("api/options", {});
  return answer.json();
}

/** What a reading is asked for, so that it can be checked by character and written in any format. */
const WHOLE = { format: "json", characters: "true", layout: "tables", n_best: "5" };

/**
 * Read one file. Returns the JSON document; raises Problem, or AbortError if `signal` was aborted.
 * `tell` gets {sent: {loaded, total}} in bytes while the file is being sent, and {sent: null} after that.
 */
export function readFile(file, choices, signal, tell = () => {}) {
  return sendFile("api/ocr", file, choices, signal, tell);
}

/** Queue one file as a job. Returns the job; tells and raises as readFile does. */
export function addJob(file, choices, signal, tell = () => {}) {
  return sendFile("api/jobs", file, choices, signal, tell);
}

async function sendFile(path, file, choices, signal, tell) {
  const request = { body: form(file, choices), signal };
  try {
    const answer = await send(address(path, { ...choices, ...WHOLE }), request, (url, whole) => post(url, whole, tell));
    return await answer.json();
  } catch (error) {
    if (error instanceof Problem && error.slug === "network" && !(await isReadable(file))) throw new Problem({ slug: "file-gone" });
    throw error;
  }
}

/** Whether the file is still there as it was when it was chosen: browsers read it only when it is sent. */
async function isReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

/** The service's figures in Prometheus' text format. */
export async function fetchMetrics(signal) {
  const answer = await send("metrics", { signal, headers: { Accept: "text/plain" } });
  return answer.text();
}

/** How far a job is. */
export async function fetchJob(id, signal) {
  const answer = await send(`api/jobs/${id}`, { signal });
  return answer.json();
}

/** The JSON document of a job that is done. */
export async function fetchResult(id, signal) {
  const answer = await send(`api/jobs/${id}/result?format=json`, { signal });
  return answer.json();
}

/** The pages of a job that have been read or refused, as records; those of a job that is under way, too. */
export async function fetchPages(id, signal) {
  const answer = await send(`api/jobs/${id}/result?format=jsonl`, { signal, headers: { Accept: "application/jsonl" } });
  const records = (await answer.text()).split("\n").filter(Boolean).map((line) => JSON.parse(line));
  return records.filter(({ page }) => page !== undefined);
}

/** Cancel and forget a job, whatever becomes of this page; the service forgets it in a day in any case. */
export function removeJob(id) {
  fetch(`api/jobs/${id}`, { method: "DELETE", keepalive: true, headers: key.headers }).catch(() => {});
}

/** Have `reading` written in a format; the searchable PDF is made of `file`. Returns a Blob; raises as readFile does. */
export async function renderReading(reading, { file, password }, choices) {
  const body = new FormData();
  body.append("result", new Blob([JSON.stringify(reading)], { type: "application/json" }), "reading.json");
  if (file) body.append("image", file, file.name);
  if (password) body.append("password", password);
  const answer = await send(address("api/render", choices), { method: "POST", body, headers: { Accept: "*/*" } });
  return answer.blob();
}

/** The password stays out of the address, which servers and proxies write into their logs. */
function address(path, { password, template, ...choices }) {
  const query = new URLSearchParams(Object.entries(choices).filter(([, value]) => value));
  return `${path}?${query}`;
}

function form(file, { password = "", template = "" }) {
  const body = new FormData();
  body.append("image", file, file.name);
  if (password) body.append("password", password);
  for (const [name, value] of Object.entries(template)) body.append(name, value); // too long for an address
  return body;
}

/** Send a request, again with another key if the service asks for one and somebody types it. */
async function send(url, request, transport = fetch) {
  for (;;) {
    const used = key.value;
    let answer;
    try {
      answer = await transport(url, { ...request, headers: { Accept: "application/json", ...request.headers, ...key.headers } });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem({ slug: "network" });
    }
    if (answer.ok) return answer;
    if (answer.status !== 401 || !(await key.renew(used))) throw await problemOf(answer);
  }
}

async function problemOf(answer) {
  const body = await answer.json().catch(() => ({}));
  return new Problem({
    slug: String(body.type ?? "").split("/").pop() || "http",
    status: answer.status,
    title: body.title ?? "",
    detail: body.detail ?? "",
    requestId: body.request_id ?? answer.headers.get("X-Request-ID") ?? "",
    retryAfterSeconds: Number(answer.headers.get("Retry-After") ?? body.retry_after_seconds) || 0,
  });
}
