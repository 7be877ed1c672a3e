/** Makes elements: `element("button", { class: "tool", onclick: f }, "text", child)`. Never parses HTML. */

const SVG = "http://www.w3.org/2000/svg";

export function element(tag, attributes = {}, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

export function svgElement(tag, attributes = {}, ...children) {
  return dress(document.createElementNS(SVG, tag), attributes, children);
}

/** One of the <symbol>s of index.html, by its name without the "i-". */
export function icon(name) {
  return svgElement("svg", { "aria-hidden": "true", focusable: "false" }, svgElement("use", { href: `#i-${name}` }));
}

function dress(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}
