// The race to the goal: everybody on a lane of their own, which ends at what they have to reach; without goals, where the
// first one is.

import { windowOf } from "../address.js";
import { arrange, element, fillBar, fitNames, nameElement, placeMark, rowCapacity, rowSize, setData, setText } from "../dom.js";
import { expectedShare, goalPercent, goalShare } from "../goals.js";
import { barShare, pageAt, rank, rankByGoal } from "../ranking.js";
import { isOfTile } from "../scope.js";

/** @typedef {import("../ranking.js").Entry} Entry */
/** @typedef {ReturnType<typeof makeLane>} Lane */

const LANE_REM = 4.6;
const GAP_REM = 0.6;

export class Race {
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
    this.list = element("ol", "lanes");
    this.empty = element("p", "empty");
    /** @type {Map<string, Lane>} */
    this.lanes = new Map();
  }

  mount(/** @type {HTMLElement} */ root) {
    root.append(element("div", "tile-head", this.heading, this.range), this.list, this.empty);
  }

  update() {
    const { catalogue, formats, now, store, texts } = this.context;
    const window = windowOf(this.settings);
    const isLowerBetter = catalogue.isLowerBetter(this.metric);
    const rows = store.repRows(window).filter((row) => isOfTile(this.settings, row.team) && this.metric in row.metrics);
    const compare = (/** @type {string} */ one, /** @type {string} */ other) => formats.compareNames(one, other);
    const hasGoals = rows.some((row) => row.goals && row.goals[this.metric]);
    const standings = hasGoals
      ? rankByGoal(rows, this.metric, compare) : rank(rows, this.metric, isLowerBetter, compare);
    const page = pageAt(standings.length, rowCapacity(this.list, LANE_REM, GAP_REM), now);
    const entries = standings.slice(page.first, page.last);
    const names = { metric: catalogue.label(this.metric), window: texts.window(window) };
    setText(this.heading, texts.say("leaderboard.heading", names));
    const range = { first: page.first + 1, last: page.last, total: standings.length };
    setText(this.range, page.count > 1 ? texts.say("leaderboard.range", range) : "");
    setText(this.empty, store.hasSnapshot && !standings.length ? texts.say("leaderboard.empty") : "");
    setData(this.list, "size", rowSize(this.list, page.size));
    arrange(this.list, entries.map((entry) => this.lane(entry.rep).node));
    const best = standings.length ? standings[0].value : null;
    for (const entry of entries) {
      const share = !hasGoals ? barShare(entry.value, best, isLowerBetter) : entry.goal ? goalShare(entry.goal) : 0;
      this.fill(entry, share);
    }
    this.fitNames(entries);
    const known = new Set(standings.map((entry) => entry.rep));
    for (const rep of Array.from(this.lanes.keys())) if (!known.has(rep)) this.lanes.delete(rep);
  }

  /** A name has what value and attainment leave of the lane. */
  fitNames(/** @type {Entry[]} */ entries) {
    const room = this.list.clientWidth + " " + this.list.dataset.size;
    fitNames(entries.map((entry) => {
      const { apart, name, note, value } = this.lane(entry.rep);
      const beside = [apart, note, value].map((node) => (node.textContent || "").length);
      return { name, key: [room, ...beside, entry.name].join(" ") };
    }));
  }

  lane(/** @type {string} */ rep) {
    const lane = this.lanes.get(rep) || makeLane(rep);
    this.lanes.set(rep, lane);
    return lane;
  }

  /**
   * @param {Entry} entry
   * @param {number} share
   */
  fill(entry, share) {
    const { catalogue, formats, store, texts } = this.context;
    const lane = this.lane(entry.rep);
    const unit = catalogue.unit(this.metric);
    const currency = entry.currency || store.organisation.currency;
    setText(lane.name, entry.name);
    setText(lane.apart, entry.apart === "team" ? store.teamName(entry.team) : entry.apart ? entry.rep : "");
    setText(lane.value, formats.value(entry.value, unit, currency, entry.bound));
    fillBar(lane.runner, share);
    const { goal } = entry;
    setData(lane.node, "state", (goal && goal.state) || "none");
    const target = goal ? formats.exactly(goal.target, unit, currency)[0] : "";
    setText(lane.note, goal ? texts.say("goal.of_target", { share: goalPercent(goal, formats), target }) : "");
    placeMark(lane.mark, goal ? expectedShare(goal) : null);
  }

  destroy() {
    for (const node of [this.heading.parentElement, this.list, this.empty]) if (node) node.remove();
  }
}

function makeLane(/** @type {string} */ rep) {
  const name = nameElement("name");
  const apart = nameElement("apart");
  const note = element("span", "note");
  const value = element("span", "value");
  const runner = element("span", "lane-fill");
  const mark = element("span", "lane-mark");
  const node = element("li", "lane", element("span", "lane-words", element("span", "who", name, apart), note, value), element("span", "lane-track", runner, mark));
  setData(node, "rep", rep);
  return { node, name, apart, note, value, runner, mark };
}
