/** Makes <details class="menu"> behave: Escape closes and returns to the button, a click elsewhere closes. */

export function tame(menu) {
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  document.addEventListener("click", (event) => {
    // A click that removed its own target (the form is rebuilt) has not been elsewhere.
    if (event.target.isConnected && !menu.contains(event.target)) menu.open = false;
  });
  menu.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
  });
}
