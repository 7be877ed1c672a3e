/** Draws the pages of PDFs with pdf.js, which is fetched when the first PDF is opened. */

const HOME = new URL("vendor/pdfjs-6.5.438/", import.meta.url).href;
const CHUNK_BYTES = 2 ** 18; // of the file that are handed to pdf.js at once
const DPI = 150; // of a page's size until the service has told its own

let library = null;

function load() {
  library ??= import(`${HOME}pdf.min.mjs`).then(
    (loaded) => {
      loaded.GlobalWorkerOptions.workerSrc = `${HOME}pdf.worker.min.mjs`;
      return loaded;
    },
    (error) => {
      library = null; // a lost connection may come back
      throw error;
    },
  );
  return library;
}

/** Open a PDF for drawing. Raises an error; its name is PasswordException if there is none or a wrong `password`. */
export async function openPdf(file, password = "") {
  const { getDocument, PDFDataRangeTransport } = await load();

  /** Hands pdf.js those parts of the file that it asks for, so that a large file is never in memory as a whole. */
  class Parts extends PDFDataRangeTransport {
    async requestDataRange(begin, end) {
      try {
        this.onDataRange(begin, new Uint8Array(await file.slice(begin, end).arrayBuffer()));
      } catch {
        task.destroy(); // the file has been moved or changed since it was chosen
      }
    }
  }

  const task = getDocument({
    range: new Parts(file.size, null),
    rangeChunkSize: CHUNK_BYTES,
    disableAutoFetch: true,
    disableStream: true,
    password,
    cMapUrl: `${HOME}cmaps/`,
    standardFontDataUrl: `${HOME}standard_fonts/`,
    wasmUrl: `${HOME}wasm/`,
    useWasm: false, // the page's policy forbids WebAssembly as it forbids eval
    verbosity: 0,
  });
  try {
    return new Pdf(task, await task.promise);
  } catch (error) {
    task.destroy();
    throw error;
  }
}

class Pdf {
  #task;
  #document;

  constructor(task, opened) {
    this.#task = task;
    this.#document = opened;
    this.count = opened.numPages;
  }

  /** The size of a page as it is shown, /Rotate included. */
  async size(number) {
    const page = await this.#document.getPage(number);
    const { width, height } = page.getViewport({ scale: DPI / 72 });
    return { width, height };
  }

  /** Draw a page onto a new canvas of this width in pixels. */
  async draw(number, width) {
    const page = await this.#document.getPage(number);
    const viewport = page.getViewport({ scale: width / page.getViewport({ scale: 1 }).width });
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(viewport.width));
    canvas.height = Math.max(1, Math.round(viewport.height));
    try {
      await page.render({ canvas, viewport }).promise;
    } finally {
      page.cleanup();
    }
    return canvas;
  }

  close() {
    this.#task.destroy();
  }
}
