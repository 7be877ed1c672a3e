/** Reads a document as a job of the service, so that it has no deadline, tells its pages, and can be cancelled. */

import { Problem, addJob, fetchJob, fetchPages, fetchResult, readFile, removeJob } from "./api.js";
import { isDocument } from "./kinds.js";

const PAUSE_MS = 400; // between two questions for progress
const LONGEST_PAUSE_MS = 5000; // while the service does not answer
const MOST_FAILURES = 40; // of the network, one after the other: three minutes, in which a service can be restarted
const NO_JOBS = new Set(["job-store-full", "job-store-unavailable"]); // the file may still be read as a request
const AHEAD = 4; // pages that the service may finish out of turn
const GROWTH = 1.5; // the pages so far come as a whole, so that they are fetched less often the more there are

/**
 * Read one item of the queue: pictures as a request, documents as a job. An item that has a job goes on with it.
 * `tell` gets {sent: {loaded, total} or null}, {job: id or null}, {pages: {read, failed, total}}, {records: pages so far}
 * and {offline: true or false}.
 * Raises as readFile does; the job is deleted at the end, and when `signal` is aborted.
 */
export async function readAny(item, signal, tell) {
  const { file } = item;
  const choices = { ...item.choices, password: item.password };
  if (!isDocument(file)) return readFile(file, choices, signal, tell);
  if (item.jobId) {
    const begun = await readJob({ id: item.jobId, state: "running", pages: item.pages }, item, signal, tell);
    if (begun) return begun;
  }
  for (let sent = 0; sent < 2; sent += 1) {
    let job;
    try {
      job = await addJob(file, choices, signal, tell);
    } catch (error) {
      if (error instanceof Problem && NO_JOBS.has(error.slug)) return readAtOnce(file, choices, signal, tell, error);
      throw error;
    }
    const reading = await readJob(job, item, signal, tell);
    if (reading) return reading;
  }
  throw new Problem({ slug: "job-lost" });
}

/** The reading of a job, or null if the service does not know it: restarted, or deleted since. */
async function readJob(job, item, signal, tell) {
  tell({ job: job.id });
  let isLost = false;
  try {
    return await followed(job, item, signal, tell);
  } catch (error) {
    isLost = error instanceof Problem && error.slug === "not-found";
    if (!isLost) throw error;
    return null;
  } finally {
    tell({ job: null, offline: false });
    if (!isLost) removeJob(job.id);
  }
}

/** A document that is too large for a request has to wait until there is room for its job. */
async function readAtOnce(file, choices, signal, tell, full) {
  try {
    return await readFile(file, choices, signal, tell);
  } catch (error) {
    throw error instanceof Problem && error.slug === "too-large" ? full : error;
  }
}

async function followed(begun, item, signal, tell) {
  let job = begun;
  let failures = 0;
  let loaded = 0;
  while (job.state === "queued" || job.state === "running") {
    if (job.pages) tell({ pages: job.pages });
    try {
      if (job.pages && isWorthFetching(job.pages, loaded, item)) {
        const records = await fetchPages(job.id, signal);
        loaded = records.length;
        tell({ records });
      }
      await pause(Math.min(PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS), signal);
      job = await fetchJob(job.id, signal);
      if (failures) tell({ offline: false });
      failures = 0;
    } catch (error) {
      failures += 1;
      if (!(error instanceof Problem) || !error.isTemporary || failures > MOST_FAILURES) throw error;
      tell({ offline: true });
    }
  }
  if (job.state === "failed") throw new Problem({ slug: slugOf(job.problem), ...job.problem });
  return fetchResult(job.id, signal);
}

/** Whether the page on show may have come, or enough others. */
function isWorthFetching({ read, failed, total }, loaded, item) {
  const ready = read + failed;
  if (!(total > 1) || ready <= loaded) return false;
  const isNear = !item.choices.pages && item.page > loaded && item.page <= ready + AHEAD;
  return isNear || ready >= Math.max(1, loaded * GROWTH);
}

function slugOf(problem) {
  return String(problem.type ?? "").split("/").pop() || "http";
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new DOMException("cancelled", "AbortError"));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}
