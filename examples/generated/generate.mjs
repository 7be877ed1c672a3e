// Writes api.ts, the types of the interface of a running service:
//
//     npm run generate -- http://localhost:8000
//
// The command `openapi-typescript` does the same, but takes a file for text; here it is a Blob.
import { writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";
import ts from "typescript";

const url = process.argv[2] ?? "http://localhost:8000";
const blob = ts.factory.createTypeReferenceNode("Blob");
const types = await openapiTS(new URL("/openapi.json", url), {
  transform: (schema) => (schema.format === "binary" ? blob : undefined),
});
await writeFile(new URL("api.ts", import.meta.url), astToString(types));
