/** The ways in: choosing, photographing, dropping (folders too) and pasting. Hands over lists of {file, name}. */

const MOST_FILES = 500; // of one dropped folder: somebody who drops a whole disk did not mean it

export class Intake {
  /** `take(files, isPasted)` gets what came in; `miss(key, values)` the message for what did not. */
  constructor({ take, miss, language }) {
    this.take = take;
    this.miss = miss;
    this.language = language;
    this.chooser = document.getElementById("files");
    this.camera = document.getElementById("camera");
    this.veil = document.getElementById("drop-veil");
    for (const input of [this.chooser, this.camera]) {
      input.addEventListener("change", () => {
        this.#hand([...input.files]);
        input.value = ""; // so that the same file can be chosen again
      });
    }
    for (const id of ["choose", "welcome-choose"]) {
      document.getElementById(id).addEventListener("click", () => this.choose());
    }
    for (const id of ["photo", "welcome-photo"]) {
      document.getElementById(id).addEventListener("click", () => this.camera.click());
    }
    const paste = document.getElementById("paste");
    paste.hidden = !navigator.clipboard?.read;
    paste.addEventListener("click", () => this.#readClipboard());
    document.addEventListener("paste", (event) => this.#pasted(event));
    this.#watchDrops();
  }

  choose() {
    this.chooser.click();
  }

  /** What the file chooser offers: the service's own list of types, if it has one. */
  accept(types) {
    this.chooser.accept = types.length ? types.join(",") : "image/*,application/pdf,.pdf,.tif,.tiff";
  }

  #hand(files) {
    if (files.length) this.take(files.map((file) => ({ file, name: file.name })));
  }

  #pasted(event) {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) {
      event.preventDefault();
      this.#handPasted(files);
    } else if (!event.target.closest?.("input, textarea")) {
      this.miss("paste.nothing");
    }
  }

  #handPasted(files) {
    // Every browser calls every screenshot image.png, which nobody can tell apart in a list.
    const time = new Date().toTimeString().slice(0, 8).replaceAll(":", ".");
    const named = (file) => (/^image\.\w+$/.test(file.name) ? this.language.say("pasted", { time }) : file.name);
    this.take(files.map((file) => ({ file, name: named(file) })), true);
  }

  async #readClipboard() {
    try {
      const files = [];
      for (const entry of await navigator.clipboard.read()) {
        const type = entry.types.find((each) => each.startsWith("image/"));
        if (type) files.push(new File([await entry.getType(type)], "image.png", { type }));
      }
      if (files.length) this.#handPasted(files);
      else this.miss("paste.nothing");
    } catch {
      this.miss("paste.denied");
    }
  }

  #watchDrops() {
    let depth = 0; // of nested elements that the drag has entered
    const show = (on) => {
      this.veil.hidden = !on;
    };
    const isOurs = (event) => !event.dataTransfer || [...event.dataTransfer.types].some((type) => type === "Files" || type === "text/uri-list");
    document.addEventListener("dragenter", (event) => {
      if (!isOurs(event)) return;
      depth += 1;
      show(true);
    });
    document.addEventListener("dragleave", (event) => {
      if (!isOurs(event)) return;
      depth = Math.max(0, depth - 1);
      if (!depth) show(false);
    });
    document.addEventListener("dragover", (event) => {
      if (!isOurs(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
    });
    document.addEventListener("drop", async (event) => {
      if (!isOurs(event)) return;
      event.preventDefault();
      depth = 0;
      show(false);
      const files = await filesOf(event.dataTransfer);
      if (files.length) this.take(files);
      if (!files.length) this.miss("drop.nothing");
      else if (files.length === MOST_FILES) this.miss("drop.many", { n: MOST_FILES });
    });
  }
}

/** All files of a drop as {file, name}; a folder's files are named with their path and sorted by it. */
async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files].map((file) => ({ file, name: file.name }));
  const found = [];
  for (const entry of entries) await walk(entry, "", found);
  return found;
}

async function walk(entry, path, found) {
  if (found.length >= MOST_FILES || entry.name.startsWith(".")) return;
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ file, name: path + entry.name });
    return;
  }
  const reader = entry.createReader();
  const children = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // at most 100 a call
    if (!some.length) break;
    children.push(...some);
  }
  children.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  for (const child of children) await walk(child, `${path}${entry.name}/`, found);
}
