/** Fetches the words and the styles of what is not on show at first. */

const sheets = new Map();

/** Resolves once menus, views and dialogs that few people open have their words, and the styles in `names`. */
export function more(language, ...names) {
  return Promise.all([language.more(), ...["more.css", ...names].map(styled)]);
}

function styled(name) {
  if (!sheets.has(name)) {
    const loaded = new Promise((resolve) => {
      const link = document.createElement("link");
      link.rel = "stylesheet";
      link.href = new URL(name, import.meta.url).href;
      link.addEventListener("load", resolve);
      link.addEventListener("error", resolve); // plain is better than nothing
      document.querySelector('link[href$="narrow.css"]').before(link); // which adapts all others to small screens
    });
    sheets.set(name, loaded);
  }
  return sheets.get(name);
}
