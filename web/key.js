/** The API key of this tab, for services that ask for one: kept in sessionStorage, which ends with the tab. */

const STORED = "ocrsvc.key";

/** Dispatches "change" when there is another key. */
class Key extends EventTarget {
  #value = remembered();
  #asking = null;
  #ask = async () => null;

  /** `ask(isWrong)` resolves to what somebody has typed, or to null. */
  askWith(ask) {
    this.#ask = ask;
  }

  get value() {
    return this.#value;
  }

  /** The headers of a request with this key. */
  get headers() {
    return this.#value ? { "X-API-Key": this.#value } : {};
  }

  /** Whether there is another key than `refused`, which the service has not taken; requests side by side ask once. */
  async renew(refused) {
    if (this.#value !== refused) return true;
    this.#asking ??= this.#ask(Boolean(refused)).finally(() => {
      this.#asking = null;
    });
    const typed = await this.#asking;
    if (typed && this.#value === refused) this.#keep(typed);
    return this.#value !== refused;
  }

  #keep(value) {
    this.#value = value;
    try {
      sessionStorage.setItem(STORED, value);
    } catch {
      // Then the key lasts as long as the page.
    }
    this.dispatchEvent(new Event("change"));
  }
}

export const key = new Key();

/** Ask for the key in a dialog with a form; `say(key)` has the words. */
export function keyDialog(dialog, say) {
  const field = dialog.querySelector("input");
  dialog.querySelector("button[type=button]").addEventListener("click", () => dialog.close());
  return (isWrong) =>
    new Promise((resolve) => {
      field.value = "";
      field.setAttribute("aria-invalid", isWrong);
      dialog.querySelector("label").textContent = say(isWrong ? "key.wrong" : "key.ask");
      dialog.returnValue = "";
      dialog.addEventListener("close", () => resolve(dialog.returnValue === "use" ? field.value.trim() : null), { once: true });
      dialog.showModal();
      field.focus();
    });
}

function remembered() {
  try {
    return sessionStorage.getItem(STORED) ?? "";
  } catch {
    return "";
  }
}
