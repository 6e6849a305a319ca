// Who is ahead: reps by one metric, ties sharing a rank. More reps than fit are paged, never made smaller; few of them
// are made larger.

import { arrange, element, fillBar, nameElement, rowCapacity, setData, setText } from "../dom.js";
import { barShare, pageAt, rank } from "../ranking.js";

/** @typedef {import("../ranking.js").Entry} Entry */
/** @typedef {ReturnType<typeof makeRow>} BoardRow */

const ROW_REM = 3.4;
const GAP_REM = 0.4;
const MOVE = { duration: 500, easing: "cubic-bezier(0.2, 0.7, 0.2, 1)" };
const APPEAR = { duration: 300, easing: "ease-out" };

export class Leaderboard {
  /**
   * @param {import("./index.js").TileSettings} settings
   * @param {import("./index.js").Context} context
   */
  constructor(settings, context) {
    this.settings = settings;
    this.context = context;
    this.metric = settings.metric || "";
    this.heading = element("h2", "heading");
    this.range = element("span", "range");
    this.list = element("ol", "rows");
    this.empty = element("p", "empty");
    /** @type {Map<string, BoardRow>} */
    this.rows = new Map();
    /** @type {string[]} */
    this.shown = [];
  }

  mount(/** @type {HTMLElement} */ root) {
    root.append(element("div", "tile-head", this.heading, this.range), this.list, this.empty);
  }

  update() {
    const { catalogue, formats, now, store, texts } = this.context;
    const isLowerBetter = catalogue.isLowerBetter(this.metric);
    const reps = catalogue.isUnknown(this.metric) ? [] : store.repRows(this.settings.window);
    const standings = rank(reps, this.metric, isLowerBetter, (one, other) => formats.compareNames(one, other));
    const page = pageAt(standings.length, rowCapacity(this.list, ROW_REM, GAP_REM), now);
    const entries = standings.slice(page.first, page.last);
    const metric = catalogue.label(this.metric);
    setText(this.heading, texts.say("leaderboard.heading", { metric, window: texts.window(this.settings.window) }));
    const range = { first: page.first + 1, last: page.last, total: standings.length };
    setText(this.range, page.count > 1 ? texts.say("leaderboard.range", range) : "");
    setText(this.empty, store.hasSnapshot && !standings.length ? this.emptyText() : "");
    setData(this.list, "size", page.size <= 4 ? "large" : page.size <= 7 ? "medium" : "small");
    this.place(entries);
    const best = standings.length ? standings[0].value : null;
    for (const entry of entries) this.fill(entry, barShare(entry.value, best, isLowerBetter));
    this.forget(standings);
  }

  emptyText() {
    const { catalogue, texts } = this.context;
    if (!catalogue.isUnknown(this.metric)) return texts.say("leaderboard.empty");
    return texts.say("trouble.metric.heading", { names: texts.quoted([this.metric]), count: 1 });
  }

  destroy() {
    for (const row of this.rows.values()) if (row.animation) row.animation.cancel();
    for (const node of [this.heading.parentElement, this.list, this.empty]) if (node) node.remove();
  }

  /** Moves rows to their new places; those that stay on the page glide there. */
  place(/** @type {Entry[]} */ entries) {
    const order = entries.map((entry) => entry.rep);
    if (order.length === this.shown.length && order.every((rep, index) => rep === this.shown[index])) return;
    const before = new Map(this.shown.map((rep) => [rep, this.row(rep).node.getBoundingClientRect().top]));
    for (const row of this.rows.values()) if (row.animation) row.animation.cancel();
    arrange(this.list, order.map((rep) => this.row(rep).node));
    if (this.shown.length && !this.context.isCalm) for (const rep of order) move(this.row(rep), before.get(rep));
    this.shown = order;
  }

  row(/** @type {string} */ rep) {
    const row = this.rows.get(rep) || makeRow(rep);
    this.rows.set(rep, row);
    return row;
  }

  /**
   * @param {Entry} entry
   * @param {number} share
   */
  fill(entry, share) {
    const { catalogue, formats, store } = this.context;
    const row = this.row(entry.rep);
    const unit = catalogue.unit(this.metric);
    setText(row.rank, entry.rank === null ? "" : formats.count(entry.rank));
    setText(row.name, entry.name);
    setText(row.team, [store.teamName(entry.team), entry.isNamesake ? entry.rep : ""].filter(Boolean).join(" · "));
    setText(row.value, formats.value(entry.value, unit, entry.currency || store.organisation.currency, entry.bound));
    fillBar(row.bar, share);
    row.node.classList.toggle("leader", entry.rank === 1 && share > 0);
  }

  forget(/** @type {Entry[]} */ standings) {
    const known = new Set(standings.map((entry) => entry.rep));
    for (const rep of Array.from(this.rows.keys())) if (!known.has(rep)) this.rows.delete(rep);
  }
}

/**
 * @param {BoardRow} row
 * @param {number | undefined} before
 */
function move(row, before) {
  if (before === undefined) {
    row.animation = row.node.animate([{ opacity: 0 }, { opacity: 1 }], APPEAR);
    return;
  }
  const distance = before - row.node.getBoundingClientRect().top;
  if (!distance) return;
  row.animation = row.node.animate([{ transform: "translateY(" + distance + "px)" }, { transform: "none" }], MOVE);
}

function makeRow(/** @type {string} */ rep) {
  const bar = element("span", "bar");
  const rankText = element("span", "rank");
  const name = nameElement("name");
  const team = nameElement("team");
  const value = element("span", "value");
  const node = element("li", "row", rankText, element("span", "who", name, team), value, bar);
  setData(node, "rep", rep);
  return { node, bar, rank: rankText, name, team, value, animation: /** @type {Animation | null} */ (null) };
}
