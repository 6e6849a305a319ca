// Whose numbers these are, which scene is shown, and which day it is.

import { element, setText } from "../dom.js";
import { teamsShown } from "../scope.js";

export class Title {
  /**
   * @param {import("./index.js").TileSettings} _settings
   * @param {import("./index.js").Context} context
   */
  constructor(_settings, context) {
    this.context = context;
    this.heading = element("h1", "title name-text");
    this.subtitle = element("p", "subtitle");
  }

  mount(/** @type {HTMLElement} */ root) {
    root.append(this.heading, this.subtitle);
  }

  update() {
    const { clock, formats, scene, settings, store, texts, window } = this.context;
    // Before the first snapshot nobody knows whether there are such teams, and such a window.
    const isKnown = store.hasSnapshot;
    const shown = isKnown ? teamsShown(store, settings.teams, window) : [];
    const teams = shown.map((team) => store.teamName(team)).join(", ");
    const text = formats.ownDigits(settings.title) || teams || store.organisation.name || texts.say("title.floor");
    setText(this.heading, text);
    document.title = text;
    const scope = settings.title && teams ? [teams] : [];
    const name = scene.name ? [formats.ownDigits(scene.name)] : isKnown ? [texts.window(window)] : [];
    setText(this.subtitle, [...scope, ...name, formats.date(clock)].join(" · "));
  }

  destroy() {
    this.heading.remove();
    this.subtitle.remove();
  }
}
