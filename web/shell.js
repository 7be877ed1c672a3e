/** What the whole page shares: its language, its voice, the options, and the keys that do something. */

import { key, keyDialog } from "./key.js";
import { Language } from "./language.js";
import { Options } from "./options.js";
import { Shortcuts } from "./shortcuts.js";
import { Voice } from "./voice.js";

export const $ = (id) => document.getElementById(id);

export const language = new Language();
await language.load();
key.askWith(keyDialog($("key-dialog"), (words) => language.say(words)));
export const voice = new Voice($("status"), $("toast"));
export const options = new Options($("options-form"), language);
export const shortcuts = new Shortcuts($("help-dialog"), language);
