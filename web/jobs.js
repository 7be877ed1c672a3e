/** Reads a document as a job of the service, so that it has no deadline, tells its pages, and can be cancelled. */

import { Problem, addJob, fetchJob, fetchResult, readFile, removeJob } from "./api.js";

const PAUSE_MS = 400; // between two questions for progress
const MOST_FAILURES = 20; // of the network, one after the other; the job goes on meanwhile
const DOCUMENT = /\.(pdf|tiff?)$/i;
const NO_JOBS = new Set(["job-store-full", "job-store-unavailable"]); // the file may still be read as a request

/** Whether a file may have several pages. */
export function isDocument(file) {
  return file.type === "application/pdf" || file.type === "image/tiff" || DOCUMENT.test(file.name);
}

/** Read one file: pictures as a request, documents as a job. `tell({read, failed, total})` gets the pages so far.
    Raises as readFile does; the job is deleted at the end, and when `signal` is aborted. */
export async function readAny(file, choices, signal, tell) {
  if (!isDocument(file)) return readFile(file, choices, signal);
  let job;
  try {
    job = await addJob(file, choices, signal);
  } catch (error) {
    if (error instanceof Problem && NO_JOBS.has(error.slug)) return readFile(file, choices, signal);
    throw error;
  }
  try {
    return await followed(job, signal, tell);
  } finally {
    removeJob(job.id);
  }
}

async function followed(job, signal, tell) {
  let failures = 0;
  while (job.state === "queued" || job.state === "running") {
    tell(job.pages);
    await pause(signal);
    try {
      job = await fetchJob(job.id, signal);
      failures = 0;
    } catch (error) {
      failures += 1;
      if (!(error instanceof Problem) || !error.isTemporary || failures > MOST_FAILURES) throw error;
    }
  }
  if (job.state === "failed") throw new Problem({ slug: slugOf(job.problem), ...job.problem });
  return fetchResult(job.id, signal);
}

function slugOf(problem) {
  return String(problem.type ?? "").split("/").pop() || "http";
}

function pause(signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new DOMException("cancelled", "AbortError"));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, PAUSE_MS);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}
