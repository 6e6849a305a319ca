// Whose numbers these are, and of which day.

import { element, setText } from "../dom.js";
import { teamsShown } from "../scope.js";

export class Title {
  /**
   * @param {import("./index.js").TileSettings} settings
   * @param {import("./index.js").Context} context
   */
  constructor(settings, context) {
    this.settings = settings;
    this.context = context;
    this.heading = element("h1", "title name-text");
    this.subtitle = element("p", "subtitle");
  }

  mount(/** @type {HTMLElement} */ root) {
    root.append(this.heading, this.subtitle);
  }

  update() {
    const { clock, formats, settings, store, texts } = this.context;
    // Before the first snapshot nobody knows whether there are such teams, and such a window.
    const isKnown = store.hasSnapshot;
    const shown = isKnown ? teamsShown(store, settings.teams, this.settings.window) : [];
    const teams = shown.map((team) => store.teamName(team)).join(", ");
    const text = settings.title || teams || store.organisation.name || texts.say("title.floor");
    setText(this.heading, text);
    document.title = text;
    const scope = settings.title && teams ? [teams] : [];
    const window = isKnown ? [texts.window(this.settings.window)] : [];
    setText(this.subtitle, [...scope, ...window, formats.date(clock)].join(" · "));
  }

  destroy() {
    this.heading.remove();
    this.subtitle.remove();
  }
}
