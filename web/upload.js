/** Sends a request whose body may be large, and tells how much of it has gone: fetch cannot. */

const QUIET_MS = 400; // what has gone by then needs no figures
const BETWEEN_MS = 100; // two of them

/**
 * POST `body` and resolve to a Response. `tell({sent: {loaded, total}})` is called while the body goes, and
 * `tell({sent: null})` once all of it has. Rejects as fetch does: TypeError, or AbortError if `signal` was aborted.
 */
export function post(url, { headers, body, signal }, tell) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(aborted());
      return;
    }
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    const end = (act, outcome) => {
      signal?.removeEventListener("abort", stop);
      act(outcome);
    };
    report(request.upload, tell);
    request.addEventListener("load", () => end(resolve, answerOf(request)));
    request.addEventListener("error", () => end(reject, new TypeError("no answer")));
    request.addEventListener("abort", () => end(reject, aborted()));
    signal?.addEventListener("abort", stop, { once: true });
    request.open("POST", url);
    request.responseType = "blob";
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.send(body);
  });
}

function report(upload, tell) {
  const begun = performance.now();
  let told = begun + QUIET_MS - BETWEEN_MS;
  let isTold = false;
  upload.addEventListener("progress", ({ loaded, total }) => {
    const now = performance.now();
    if (now - told < BETWEEN_MS || loaded >= total) return;
    told = now;
    isTold = true;
    tell({ sent: { loaded, total } });
  });
  upload.addEventListener("loadend", () => isTold && tell({ sent: null }));
}

function answerOf(request) {
  const isEmpty = request.status === 204 || request.status === 205 || request.status === 304;
  const headers = new Headers();
  for (const line of request.getAllResponseHeaders().trim().split(/[\r\n]+/)) {
    const [name, ...value] = line.split(":");
    if (name) headers.append(name.trim(), value.join(":").trim());
  }
  return new Response(isEmpty ? null : request.response, { status: request.status, headers });
}

function aborted() {
  return new DOMException("cancelled", "AbortError");
}
