// What a screen says in place of numbers, or above them: what is wrong and what to do about it, or that all is ready for
// the first event.

import { webhookAddress } from "./address.js";
import { element, setData, setText } from "./dom.js";
import { icon, setIcon } from "./icons.js";

/** @typedef {import("./trouble.js").Trouble} Trouble */
/** @typedef {import("./texts.js").Texts} Texts */

const MOST_ADDRESSES = 4;

/**
 * @typedef {object} Message
 * @property {string} name of its kind
 * @property {string} sign
 * @property {string} heading
 * @property {string} text
 * @property {string[]} lines addresses and the like, to be copied as they stand
 * @property {string} hint
 */

/**
 * @param {Trouble} trouble
 * @param {Texts} texts
 * @returns {Message}
 */
export function troubleMessage({ kind, names, detail }, texts) {
  const values = { names: texts.quoted(names), count: names.length, detail };
  const sign = kind === "starting" ? "delayed" : kind === "away" ? "disconnected" : "refused";
  return {
    name: kind, sign, lines: [], hint: "",
    heading: texts.say(`trouble.${kind}.heading`, values), text: texts.say(`trouble.${kind}.text`, values),
  };
}

/**
 * @param {string[]} connections
 * @param {string} origin of this page, where webhooks are taken too
 * @param {Texts} texts
 * @returns {Message}
 */
export function beginningMessage(connections, origin, texts) {
  const lines = connections.slice(0, MOST_ADDRESSES).map((name) => webhookAddress(origin, name));
  const text = lines.length ? texts.say("new.text", { count: lines.length }) : texts.say("new.no_connections");
  return { name: "new", sign: "new", heading: texts.say("new.heading"), text, lines, hint: texts.say("new.hint") };
}

export class Notice {
  constructor() {
    this.sign = icon("refused");
    this.heading = element("h2", "notice-heading");
    this.text = element("p", "notice-text");
    this.lines = element("ul", "notice-lines");
    this.hint = element("p", "notice-hint");
    const words = element("div", "notice-words", this.heading, this.text, this.lines, this.hint);
    this.node = element("section", "notice", this.sign, words);
    this.node.setAttribute("role", "alert");
    this.node.hidden = true;
  }

  /** Shows the message; null: nothing is to be said. */
  show(/** @type {Message | null} */ message) {
    this.node.hidden = message === null;
    if (message === null) return;
    setData(this.node, "kind", message.name);
    setIcon(this.sign, message.sign);
    setText(this.heading, message.heading);
    setText(this.text, message.text);
    setText(this.hint, message.hint);
    if (message.lines.join() === Array.from(this.lines.children, (line) => line.textContent).join()) return;
    this.lines.textContent = "";
    for (const line of message.lines) this.lines.append(element("li", "", line));
  }
}
