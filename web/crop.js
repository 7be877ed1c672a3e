/** Cuts one line out of a picture and lays it straight, so that it can be compared with its text. */

const MARGIN = 0.12; // of the line's height, on every side

/** A canvas of about `height` CSS pixels and at most `width`, or null without a picture. `page` is in its own pixels. */
export function cropLine(image, page, polygon, height, width) {
  if (!(image?.naturalWidth ?? image?.width)) return null; // of an <img>, of a canvas
  const [a, b, , d] = polygon;
  const across = Math.hypot(b[0] - a[0], b[1] - a[1]);
  const down = Math.hypot(d[0] - a[0], d[1] - a[1]);
  if (across < 1 || down < 1) return null;
  const margin = down * MARGIN;
  const scale = Math.min(height / (down + 2 * margin), width / (across + 2 * margin), 4);
  const density = Math.min(window.devicePixelRatio || 1, 2);
  const canvas = drawn(image, page, polygon, across, down, margin, scale * density);
  canvas.className = "crop";
  canvas.style.width = `${Math.round(canvas.width / density)}px`;
  canvas.style.height = `${Math.round(canvas.height / density)}px`;
  return canvas;
}

/** A canvas of the line alone, without a margin, at most `height` pixels high and never larger than it is; or null. */
export function uprightLine(image, page, polygon, height) {
  const [a, b, , d] = polygon;
  const across = Math.hypot(b[0] - a[0], b[1] - a[1]);
  const down = Math.hypot(d[0] - a[0], d[1] - a[1]);
  if (across < 1 || down < 1) return null;
  return drawn(image, page, polygon, across, down, 0, Math.min(1, height / down));
}

function drawn(image, page, [a, b], across, down, margin, scale) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round((across + 2 * margin) * scale));
  canvas.height = Math.max(1, Math.round((down + 2 * margin) * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  // From the page to the canvas: the line's own axes become upright.
  const angle = Math.atan2(b[1] - a[1], b[0] - a[0]);
  context.scale(scale, scale);
  context.translate(margin, margin);
  context.rotate(-angle);
  context.translate(-a[0], -a[1]);
  context.drawImage(image, 0, 0, page.width, page.height);
  return canvas;
}
