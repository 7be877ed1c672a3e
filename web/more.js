/** Fetches the words and the styles of what is not on show at first. */

let styles = null;

/** Resolves once menus, views and dialogs that few people open have their words and styles. */
export function more(language) {
  styles ??= new Promise((resolve) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = new URL("more.css", import.meta.url).href;
    link.addEventListener("load", resolve);
    link.addEventListener("error", resolve); // plain is better than nothing
    document.head.append(link);
  });
  return Promise.all([language.more(), styles]);
}
