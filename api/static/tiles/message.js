// Words of those who run the floor.

import { element, nameElement, setText } from "../dom.js";

export class Message {
  /**
   * @param {import("./index.js").TileSettings} settings
   * @param {import("./index.js").Context} context
   */
  constructor(settings, context) {
    this.words = nameElement("message-words");
    setText(this.words, context.formats.ownDigits(settings.text || ""));
    this.node = element("p", "message", this.words);
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
