/** Draws the pages of TIFFs, which a worker decodes. */

/** Open a TIFF for drawing. Raises an error if it has no page that can be understood. */
export async function openTiff(file) {
  const decoder = new Decoder();
  try {
    const sizes = await decoder.ask({ job: "open", file });
    if (!sizes.length || !sizes.every(({ width, height }) => width && height)) throw new Error("no pages");
    return new Tiff(decoder, sizes);
  } catch (error) {
    decoder.close();
    throw error;
  }
}

/** The worker, asked one thing at a time or several. */
class Decoder {
  #worker = new Worker(new URL("tiff_worker.js", import.meta.url));
  #waiting = new Map();
  #last = 0;

  constructor() {
    this.#worker.addEventListener("message", ({ data: { id, value, error } }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) reject(new Error(error));
      else resolve(value);
    });
    this.#worker.addEventListener("error", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("the decoder did not start"));
      this.#waiting.clear();
    });
  }

  ask(job) {
    return new Promise((resolve, reject) => {
      this.#last += 1;
      this.#waiting.set(this.#last, { resolve, reject });
      this.#worker.postMessage({ ...job, id: this.#last });
    });
  }

  close() {
    this.#worker.terminate();
  }
}

/** The eight orientations of TIFF as the matrix of a canvas of w by h pixels. */
const TURNS = {
  1: () => [1, 0, 0, 1, 0, 0],
  2: (w) => [-1, 0, 0, 1, w, 0],
  3: (w, h) => [-1, 0, 0, -1, w, h],
  4: (w, h) => [1, 0, 0, -1, 0, h],
  5: () => [0, 1, 1, 0, 0, 0],
  6: (w) => [0, 1, -1, 0, w, 0],
  7: (w, h) => [0, -1, -1, 0, w, h],
  8: (w, h) => [0, -1, 1, 0, 0, h],
};

class Tiff {
  #decoder;
  #sizes;

  constructor(decoder, sizes) {
    this.#decoder = decoder;
    this.#sizes = sizes;
    this.count = sizes.length;
  }

  /** The size of a page as it is shown, turned as its tag says. */
  async size(number) {
    const { width, height, orientation } = this.#sizes[number - 1];
    return orientation > 4 ? { width: height, height: width } : { width, height };
  }

  /** Draw a page onto a new canvas of this width in pixels, or of its own if that is less. */
  async draw(number, width) {
    const { width: own, height, orientation } = this.#sizes[number - 1];
    const lying = orientation > 4;
    const bitmap = await this.#decoder.ask({ job: "draw", number, width: lying ? (width * own) / height : width });
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = lying ? [bitmap.height, bitmap.width] : [bitmap.width, bitmap.height];
    const context = canvas.getContext("2d");
    context.setTransform(...(TURNS[orientation] ?? TURNS[1])(canvas.width, canvas.height));
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    return canvas;
  }

  close() {
    this.#decoder.close();
  }
}
