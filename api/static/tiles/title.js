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
    const teams = teamsShown(store, settings.teams, this.settings.window).map((team) => store.teamName(team)).join(", ");
    const text = settings.title || teams || store.organisation.name || texts.say("title.floor");
    setText(this.heading, text);
    document.title = text;
    const parts = [...(settings.title && teams ? [teams] : []), texts.window(this.settings.window), formats.date(clock)];
    setText(this.subtitle, parts.join(" · "));
  }

  destroy() {
    this.heading.remove();
    this.subtitle.remove();
  }
}
