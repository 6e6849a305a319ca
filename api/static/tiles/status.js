// The time of day, and in one word whether the screen can be believed.

import { element, setText } from "../dom.js";
import { dayAndTime } from "../format.js";
import { closedSince } from "../freshness.js";
import { icon, setIcon } from "../icons.js";

export class Status {
  /**
   * @param {import("./index.js").TileSettings} _settings
   * @param {import("./index.js").Context} context
   */
  constructor(_settings, context) {
    this.context = context;
    this.clock = element("time", "clock");
    this.sign = icon("delayed");
    this.word = element("span", "word");
    this.state = element("p", "state", this.sign, this.word);
    this.state.setAttribute("role", "status");
  }

  mount(/** @type {HTMLElement} */ root) {
    root.append(this.clock, this.state);
  }

  update() {
    const { clock, formats, settings, state, store, texts } = this.context;
    setText(this.clock, formats.time(clock));
    setIcon(this.sign, state === "connecting" ? "waiting" : state);
    const since = state === "closed" ? closedSince(store.freshness, settings.calendars) : null;
    const time = since === null ? "" : dayAndTime(formats, since, clock);
    setText(this.word, texts.say(/** @type {import("../texts.js").TextKey} */ ("state." + state), { time }));
  }

  destroy() {
    this.clock.remove();
    this.state.remove();
  }
}
