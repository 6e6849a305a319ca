// The page of a screen that has no valid key: shows a code, waits until somebody has paired it, and becomes the board.

import { setText } from "./dom.js";
import { languageOf, Texts } from "./texts.js";

const POLL = 3000;
const AGAIN = 15000;

class Pairing {
  constructor() {
    const language = languageOf(document.documentElement.lang);
    this.texts = new Texts(language);
    this.code = this.node("code");
    setText(this.node("heading"), this.texts.say("pair.heading"));
    setText(this.node("text"), this.texts.say("pair.text"));
    setText(this.node("sound"), this.texts.say("pair.sound"));
  }

  node(/** @type {string} */ id) {
    return /** @type {HTMLElement} */ (document.getElementById(id));
  }

  /** A new code whenever there is none that still counts. @returns {Promise<void>} */
  async begin() {
    try {
      const answer = await fetch("/v1/screens/codes", {
        method: "POST", headers: { "content-type": "application/json" }, body: "{}", credentials: "same-origin",
      });
      if (answer.status !== 201) return this.wait("pair.busy");
      const { code, claim, expires_at: expires } = await answer.json();
      setText(this.code, code.slice(0, 3) + " " + code.slice(3));
      setText(this.node("hint"), this.texts.say("pair.hint", { code, screen: this.screen }));
      return this.poll(code, claim, Date.now() + (Date.parse(expires) - Date.parse(answer.headers.get("date") || "") || 300000));
    } catch (error) {
      return this.wait("pair.away");
    }
  }

  get screen() {
    return decodeURIComponent(window.location.pathname.split("/").filter(Boolean).pop() || "");
  }

  /**
   * @param {string} code
   * @param {string} claim
   * @param {number} until
   * @returns {Promise<void>}
   */
  async poll(code, claim, until) {
    if (Date.now() >= until) return this.begin();
    let status = 0;
    try {
      const answer = await fetch("/v1/screens/codes/" + code, { headers: { authorization: "Bearer " + claim }, credentials: "same-origin" });
      status = answer.status;
      if (status === 200) {
        const { screen } = await answer.json();
        window.location.replace("/board/" + encodeURIComponent(screen));
        return;
      }
    } catch (error) {
      // The network blinks: the code still counts.
    }
    if (status === 404) return this.begin();
    window.setTimeout(() => this.poll(code, claim, until), POLL);
  }

  wait(/** @type {"pair.busy" | "pair.away"} */ why) {
    setText(this.code, "");
    setText(this.node("hint"), this.texts.say(why));
    window.setTimeout(() => this.begin(), AGAIN);
  }
}

new Pairing().begin();
