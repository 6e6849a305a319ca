// Words of those who run the floor; and a code by which a phone finds the same numbers.

import { element, nameElement, setText } from "../dom.js";
import { codeSign } from "../icons.js";

export class Message {
  /**
   * @param {import("./index.js").TileSettings} settings
   * @param {import("./index.js").Context} context
   */
  constructor(settings, context) {
    this.words = nameElement("message-words");
    setText(this.words, context.formats.ownDigits(settings.text || ""));
    this.node = element("div", "message", this.words);
    if (!settings.qr) return;
    this.words.append(element("span", "message-address", settings.qr.address));
    this.node.prepend(codeSign(settings.qr));
  }

  mount(/** @type {HTMLElement} */ root) {
    root.append(this.node);
  }

  update() {
    // It says the same all the time.
  }

  destroy() {
    this.node.remove();
  }
}
