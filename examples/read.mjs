// Send one picture or PDF to the service with fetch and print its text (Node.js 18 or newer, no dependency).
//
//   node examples/read.mjs http://localhost:8000 receipt.jpg

import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { argv, env, exit } from "node:process";

const TIMEOUT_MS = 120_000;
const HEADERS = env.API_KEY ? { Authorization: `Bearer ${env.API_KEY}` } : {}; // for a service that asks for a key

/** Return the text of one file; throws an Error with what the service's problem document says. */
async function read(service, path) {
  const form = new FormData();
  form.append("image", new Blob([await readFile(path)]), basename(path));
  const url = `${service.replace(/\/$/, "")}/api/ocr`;
  const answer = await fetch(url, { method: "POST", body: form, headers: HEADERS, signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!answer.ok) throw new Error(await problemOf(answer));
  return (await answer.json()).text;
}

/** Return the problem (RFC 9457) that an answer holds, in one line. */
async function problemOf(answer) {
  if (answer.headers.get("content-type") !== "application/problem+json") return `HTTP ${answer.status}`;
  const { title, status, detail } = await answer.json();
  return `${title} (${status}): ${detail}`;
}

const [service, path] = argv.slice(2);
if (path === undefined) {
  console.error("usage: node read.mjs URL FILE");
  exit(2);
}
try {
  console.log(await read(service, path));
} catch (error) {
  console.error(`${path}: ${error.cause?.message ?? error.message}`);
  exit(1);
}
