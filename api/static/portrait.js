// A person beside their name: their picture, or the first letters of their name where there is none.

import { apiAddress } from "./address.js";
import { element, setText } from "./dom.js";

const WORD = /\p{L}[\p{L}\p{M}'’\u200c-]*/gu;
const LETTER = /^\p{L}\p{M}*/u;
// One sign of these is a name already.
const IS_WHOLE = /\p{Script=Han}|\p{Script=Hangul}|\p{Script=Hiragana}|\p{Script=Katakana}/u;
const IS_JOINED = /\p{Script=Arabic}/u;

/**
 * The first letters of the first and the last word; nothing for who has no name. Letters that would join to a word that
 * nobody wrote are kept apart.
 * @param {string} name
 */
export function initials(name) {
  const words = name.match(WORD) || [];
  const letters = words.map((word) => (word.match(LETTER) || [""])[0].toLocaleUpperCase());
  if (!letters.length) return "";
  if (letters.length === 1 || IS_WHOLE.test(letters[0])) return letters[0];
  const last = letters[letters.length - 1];
  return letters[0] + (IS_JOINED.test(last) ? "\u200c" : "") + last;
}

export class Portrait {
  constructor() {
    this.letters = element("span", "letters");
    this.node = element("span", "portrait", this.letters);
    // The name stands beside it.
    this.node.setAttribute("aria-hidden", "true");
    /** What the server has sent no picture for, or none that can be shown. */
    this.missing = "";
    /** @type {HTMLImageElement | null} */
    this.image = null;
    this.shown = "";
  }

  /**
   * @param {import("./address.js").ScreenSettings} settings
   * @param {string} name
   * @param {string | null | undefined} photo its address, if there is one
   */
  show(settings, name, photo) {
    setText(this.letters, initials(name));
    const wanted = photo && photo !== this.missing ? photo : "";
    this.node.hidden = !wanted && !this.letters.textContent;
    if (wanted === this.shown) return;
    this.shown = wanted;
    if (this.image) this.image.remove();
    this.image = wanted ? this.picture(settings, wanted) : null;
    if (this.image) this.node.append(this.image);
  }

  /**
   * @param {import("./address.js").ScreenSettings} settings
   * @param {string} photo
   */
  picture(settings, photo) {
    const image = element("img", "photo");
    image.alt = "";
    // A file that is not there leaves the letters.
    image.addEventListener("error", () => {
      if (this.image !== image) return;
      this.missing = photo;
      this.shown = "";
      this.image = null;
      image.remove();
      this.node.hidden = !this.letters.textContent;
    });
    image.src = apiAddress(settings, photo);
    return image;
  }
}
