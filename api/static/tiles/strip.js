// The open breaches and escalations, and metrics beyond a limit, in the masthead; when the connection is lost, that,
// because it comes before all else.

import { alertEntry, fillChip, makeChip } from "../alerts.js";
import { arrange, element, onFirstLine, setData, setText } from "../dom.js";

/** @typedef {import("../alerts.js").Entry} Entry */

const MOST_CHIPS = 6;

export class Strip {
  /**
   * @param {import("./index.js").TileSettings} _settings
   * @param {import("./index.js").Context} context
   */
  constructor(_settings, context) {
    this.context = context;
    this.list = element("ul", "alert-list");
    this.more = element("p", "alert-more");
    /** @type {ReturnType<typeof makeChip>[]} */
    this.chips = [];
  }

  mount(/** @type {HTMLElement} */ root) {
    this.root = root;
    root.append(this.list, this.more);
  }

  update() {
    const { now, state, store, texts } = this.context;
    const entries = state === "disconnected" ? [this.lost()] : [];
    for (const alert of store.graveAlerts(now)) entries.push(alertEntry(alert, this.context));
    if (this.root) setData(this.root, "count", String(entries.length));
    const shown = entries.slice(0, MOST_CHIPS);
    while (this.chips.length < shown.length) this.chips.push(makeChip());
    shown.forEach((entry, index) => fillChip(this.chips[index], entry));
    arrange(this.list, this.chips.slice(0, shown.length).map((chip) => chip.node));
    const hidden = entries.length - onFirstLine(this.list);
    setText(this.more, hidden > 0 ? texts.say("alerts.more", { count: hidden }) : "");
  }

  destroy() {
    this.list.remove();
    this.more.remove();
  }

  /** @returns {Entry} */
  lost() {
    const { asOf, formats, store, texts } = this.context;
    const time = formats.time(asOf);
    const owner = store.hasSnapshot ? texts.say("alerts.last_known", { time }) : texts.say("alerts.no_numbers");
    return { level: "lost", sign: "disconnected", word: texts.say("alerts.lost"), owner, subject: "" };
  }
}
