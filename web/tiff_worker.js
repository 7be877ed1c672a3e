/** Decodes TIFFs beside the page, so that the page stays quick. A classic worker, because the decoders are no modules. */

importScripts("vendor/pako-1.0.11/pako_inflate.min.js", "vendor/utif2-4.1.0/UTIF.js");

const MOST_PIXELS = 80e6; // 320 MB while they are decoded
// What UTIF.js decodes; of anything else it makes a black page.
const COMPRESSIONS = new Set([1, 2, 3, 4, 5, 6, 7, 8, 32773, 32809, 32946, 34676, 34892]);

let bytes = null;
let directories = [];

const tag = (directory, number, otherwise) => directory[`t${number}`]?.[0] ?? otherwise;

const jobs = {
  open({ file }) {
    return file.arrayBuffer().then((read) => {
      bytes = read;
      directories = UTIF.decode(bytes);
      return directories.map((each) => ({ width: tag(each, 256, 0), height: tag(each, 257, 0), orientation: tag(each, 274, 1) }));
    });
  },
  async draw({ number, width }) {
    const directory = directories[number - 1];
    if (tag(directory, 256, 0) * tag(directory, 257, 0) > MOST_PIXELS) throw new Error("too many pixels");
    if (!COMPRESSIONS.has(tag(directory, 259, 1))) throw new Error("unknown compression");
    UTIF.decodeImage(bytes, directory, directories);
    const pixels = UTIF.toRGBA8(directory);
    const picture = new ImageData(new Uint8ClampedArray(pixels.buffer), directory.width, directory.height);
    delete directory.data; // the decoded bytes, which are as large as the picture
    const resizeWidth = Math.max(1, Math.min(directory.width, Math.round(width)));
    const resizeHeight = Math.max(1, Math.round((directory.height * resizeWidth) / directory.width));
    return createImageBitmap(picture, { resizeWidth, resizeHeight, resizeQuality: "high" });
  },
};

self.addEventListener("message", async ({ data }) => {
  try {
    const value = await jobs[data.job](data);
    self.postMessage({ id: data.id, value }, value instanceof ImageBitmap ? [value] : []);
  } catch (error) {
    self.postMessage({ id: data.id, error: String(error) });
  }
});
