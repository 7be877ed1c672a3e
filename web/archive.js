/** ZIP archives, written by client-zip while their parts come. */

import { downloadZip } from "./vendor/client-zip-2.5.1/index.js";

/** An archive as a Blob; `parts` are, perhaps as they come, [name, content] or [name, function that resolves to the content], asked one by one. */
export async function zipOf(parts) {
  async function* entries() {
    for await (const [name, content] of parts) {
      yield { name, input: typeof content === "function" ? await content() : content, lastModified: new Date() };
    }
  }
  return downloadZip(entries()).blob();
}
