// Who is ahead: reps by one metric, ties sharing a rank. More reps than fit are paged, never made smaller; few of them
// are made larger.

import { windowOf } from "../address.js";
import { arrange, element, fillBar, fitNames, nameElement, rowCapacity, rowSize, setData, setText } from "../dom.js";
import { NOTHING } from "../format.js";
import { goalPercent, goalShare } from "../goals.js";
import { Portrait } from "../portrait.js";
import { barShare, pageAt, rank, rankByGoal } from "../ranking.js";
import { isOfTile, scopeOf, teamsOf } from "../scope.js";

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
    this.isByGoal = settings.rank === "attainment";
    this.heading = element("h2", "heading");
    this.range = element("span", "range");
    this.list = element("ol", "rows");
    this.empty = element("p", "empty");
    this.sumValue = element("strong", "sum-value");
    this.sumWords = element("span", "sum-words");
    this.sum = element("p", "sum", this.sumValue, this.sumWords);
    this.sum.hidden = true;
    /** @type {Map<string, BoardRow>} */
    this.rows = new Map();
    /** @type {string[]} */
    this.shown = [];
  }

  mount(/** @type {HTMLElement} */ root) {
    root.append(element("div", "tile-head", this.heading, this.range), this.list, this.empty, this.sum);
  }

  update() {
    const { catalogue, now, store, texts } = this.context;
    const isLowerBetter = catalogue.isLowerBetter(this.metric);
    const standings = this.standings(isLowerBetter);
    const page = pageAt(standings.length, rowCapacity(this.list, ROW_REM, GAP_REM), now);
    const entries = standings.slice(page.first, page.last);
    const metric = catalogue.label(this.metric);
    setText(this.heading, texts.say("leaderboard.heading", { metric, window: texts.window(windowOf(this.settings)) }));
    const range = { first: page.first + 1, last: page.last, total: standings.length };
    setText(this.range, page.count > 1 ? texts.say("leaderboard.range", range) : "");
    this.showEmpty(store.hasSnapshot && !standings.length);
    setData(this.list, "size", rowSize(this.list, page.size));
    setData(this.list, "goals", String(entries.some((entry) => entry.goal !== null)));
    this.place(entries);
    const best = standings.length ? standings[0].value : null;
    for (const entry of entries) {
      const share = !this.isByGoal ? barShare(entry.value, best, isLowerBetter) : entry.goal ? goalShare(entry.goal) : 0;
      this.fill(entry, share);
    }
    this.fitNames(entries);
    this.forget(standings);
  }

  /** A name has what value and attainment leave of the row. */
  fitNames(/** @type {Entry[]} */ entries) {
    const room = this.list.clientWidth + " " + this.list.dataset.size;
    fitNames(entries.map(({ rep, name }) => {
      const row = this.row(rep);
      const beside = [row.value, row.note, row.apart].map((node) => (node.textContent || "").length);
      return { name: row.name, key: [room, ...beside, name].join(" ") };
    }));
  }

  /** A row without the metric is of somebody whom this screen is not told of here. @returns {Entry[]} */
  standings(/** @type {boolean} */ isLowerBetter) {
    const { catalogue, formats, store } = this.context;
    if (catalogue.isUnknown(this.metric)) return [];
    const compare = (/** @type {string} */ one, /** @type {string} */ other) => formats.compareNames(one, other);
    const rows = store.repRows(windowOf(this.settings))
      .filter((row) => isOfTile(this.settings, row.team) && this.metric in row.metrics);
    return this.isByGoal ? rankByGoal(rows, this.metric, compare) : rank(rows, this.metric, isLowerBetter, compare);
  }

  /** Where people are too few to be ranked, what they have together. */
  showEmpty(/** @type {boolean} */ isEmpty) {
    const { catalogue, formats, settings, store, texts } = this.context;
    const hasSum = isEmpty && settings.minGroup > 1 && !catalogue.isUnknown(this.metric);
    setText(this.empty, isEmpty && !hasSum ? this.emptyText() : "");
    this.sum.hidden = !hasSum;
    if (!hasSum) return;
    const window = windowOf(this.settings);
    const scope = scopeOf(store, teamsOf(settings, this.settings), window, (name) => catalogue.isAdditive(name));
    setText(this.sumValue, formats.value(scope.value(this.metric), catalogue.unit(this.metric), scope.currency));
    setText(this.sumWords, texts.say("leaderboard.together"));
  }

  emptyText() {
    const { catalogue, texts } = this.context;
    if (!catalogue.isUnknown(this.metric)) return texts.say("leaderboard.empty");
    return texts.say("trouble.metric.heading", { names: texts.quoted([this.metric]), count: 1 });
  }

  destroy() {
    for (const row of this.rows.values()) if (row.animation) row.animation.cancel();
    for (const node of [this.heading.parentElement, this.list, this.empty, this.sum]) if (node) node.remove();
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
    row.portrait.show(this.context.settings, entry.name, entry.photo);
    setText(row.name, entry.name);
    const team = store.teamName(entry.team);
    setText(row.team, entry.apart === "team" ? "" : team);
    setText(row.apart, entry.apart === "team" ? team : entry.apart ? entry.rep : "");
    const value = formats.value(entry.value, unit, entry.currency || store.organisation.currency, entry.bound);
    const attainment = entry.goal ? goalPercent(entry.goal, formats) : NOTHING;
    setText(row.value, this.isByGoal ? attainment : value);
    setText(row.note, this.isByGoal ? value : entry.goal ? attainment : "");
    setData(row.note, "state", (entry.goal && entry.goal.state) || "none");
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
  const portrait = new Portrait();
  const name = nameElement("name");
  const team = nameElement("team");
  const apart = nameElement("apart");
  const note = element("span", "attained");
  const value = element("span", "value");
  const node = element("li", "row", rankText, portrait.node, element("span", "who", name, apart, element("span", "about", team)), note, value, bar);
  setData(node, "rep", rep);
  return { node, portrait, bar, rank: rankText, name, team, apart, note, value, animation: /** @type {Animation | null} */ (null) };
}
