// Every open alert, one below the other; the gravest first.

import { arrange, element, rowCapacity, setText } from "../dom.js";
import { alertEntry, fillChip, makeChip } from "../alerts.js";
import { icon } from "../icons.js";
import { isOfTile } from "../scope.js";

const ROW_REM = 3.75;
const GAP_REM = 0.5;

export class AlertList {
  /**
   * @param {import("./index.js").TileSettings} settings
   * @param {import("./index.js").Context} context
   */
  constructor(settings, context) {
    this.settings = settings;
    this.context = context;
    this.heading = element("h2", "heading");
    this.range = element("span", "range");
    this.list = element("ul", "alert-rows");
    this.empty = element("p", "empty");
    /** @type {ReturnType<typeof makeChip>[]} */
    this.chips = [];
  }

  mount(/** @type {HTMLElement} */ root) {
    root.append(element("div", "tile-head", this.heading, this.range), this.list, this.empty);
  }

  update() {
    const { now, store, texts } = this.context;
    const alerts = store.graveAlerts(now).filter((alert) => isOfTile(this.settings, alert.team));
    const shown = alerts.slice(0, rowCapacity(this.list, ROW_REM, GAP_REM));
    setText(this.heading, texts.say("alerts.heading"));
    const range = { first: 1, last: shown.length, total: alerts.length };
    setText(this.range, alerts.length > shown.length ? texts.say("leaderboard.range", range) : "");
    while (this.chips.length < shown.length) this.chips.push(makeChip());
    shown.forEach((alert, index) => fillChip(this.chips[index], alertEntry(alert, this.context)));
    arrange(this.list, this.chips.slice(0, shown.length).map((chip) => chip.node));
    if (!store.hasSnapshot || alerts.length) this.empty.textContent = "";
    else if (!this.empty.firstChild) this.empty.append(icon("done"), element("span", "", texts.say("alerts.none")));
  }

  destroy() {
    for (const node of [this.heading.parentElement, this.list, this.empty]) if (node) node.remove();
  }
}
