// Reads files with types that are made from the document of the service: one request for the first file, and one
// for all of them.
//
//     npm ci
//     npm run generate -- http://localhost:8000
//     npm run build
//     node built/read.js http://localhost:8000 receipt.jpg other.png
import { openAsBlob } from "node:fs";
import { basename } from "node:path";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type BatchLine = components["schemas"]["BatchLine"];
type Problem = components["schemas"]["Problem"];

const described = (problem: Problem): string => `${problem.title} (${problem.status}): ${problem.detail}`;

function form(fields: Record<string, Blob | Blob[]>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    for (const each of [value].flat()) data.append(name, each);
  }
  return data;
}

async function main(url: string, names: string[]): Promise<number> {
  const key = process.env.API_KEY; // for a service that asks for one
  const options = { baseUrl: url, headers: key ? { "X-API-Key": key } : {} };
  const client = createClient<paths, "application/json" | "application/problem+json">(options);
  const batches = createClient<paths, "application/jsonl" | "application/problem+json">(options);
  const files = await Promise.all(names.map(async (name) => new File([await openAsBlob(name)], basename(name))));
  const [image] = files;
  if (image === undefined) return 2;

  const one = await client.POST("/api/ocr", {
    params: { query: { mode: "auto", format: "json" } },
    body: { image },
    bodySerializer: () => form({ image }),
  });
  if (one.error !== undefined) {
    console.error(described(one.error));
    return 1;
  }
  for (const line of one.data.lines) console.log(`${line.confidence.toFixed(2)} ${line.text}`);

  const many = await batches.POST("/api/ocr/batch", {
    body: { images: files },
    bodySerializer: () => form({ images: files }),
    parseAs: "text",
  });
  if (many.error !== undefined) {
    console.error(described(many.error));
    return 1;
  }
  let status = 0;
  for (const text of String(many.data).trim().split("\n")) {
    const reading = JSON.parse(text) as BatchLine;
    console.log(`--- ${reading.file}`);
    if (reading.error) {
      console.error(`${reading.file}: ${described(reading.error)}`);
      status = 1;
    } else console.log(reading.text);
  }
  return status;
}

const [url, ...names] = process.argv.slice(2);
if (url === undefined || names.length === 0) {
  console.error("usage: read.js URL FILE...");
  process.exitCode = 2;
} else process.exitCode = await main(url, names);
