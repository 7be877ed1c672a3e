/** What kind of file it is, as far as its name and declared type tell. */

/** Whether a file is a PDF. */
export function isPdf(file) {
  return file.type === "application/pdf" || /\.pdf$/i.test(file.name);
}

/** Whether a file may have several pages. */
export function isDocument(file) {
  return isPdf(file) || file.type === "image/tiff" || /\.tiff?$/i.test(file.name);
}
