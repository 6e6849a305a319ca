// The big numbers: up to six metrics of the organisation, or of the teams the screen is for, each with its companion.

import { windowOf } from "../address.js";
import { element, fillBar, fitText, placeMark, setData, setText } from "../dom.js";
import { compareDecimals, NOTHING } from "../format.js";
import { expectedShare, GOAL_SIGNS, goalPercent, goalShare, goalWord } from "../goals.js";
import { icon, setIcon } from "../icons.js";
import { scopeOf, teamsOf } from "../scope.js";

/** @typedef {import("../texts.js").TextKey} TextKey */
/** @typedef {import("../scope.js").Scope} Scope */

/**
 * Quality beside quantity: the second metric says what the first is worth.
 * @type {Record<string, [string, TextKey]>}
 */
const COMPANIONS = {
  calls_made: ["connect_rate", "figures.connected"],
  calls_connected: ["connect_rate", "figures.of_calls"],
  conversations: ["talk_seconds", "figures.talk"],
  emails_sent: ["emails_received", "figures.received"],
  meetings_booked: ["meetings_held", "figures.held"],
  meetings_held: ["meetings_booked", "figures.booked"],
  deals_won: ["win_rate", "figures.win_rate"],
  revenue_won: ["average_deal_size", "figures.a_deal"],
  lead_response_within_sla: ["lead_response_seconds_p50", "figures.median"],
  leads_assigned: ["leads_answered", "figures.answered"],
  leads_due: ["leads_answered", "figures.answered"],
};

const LONGEST_NEWS = 1500;
const RAREST_NEWS = 20000;
/** Still a letter that is read from three metres. */
const SMALLEST_LABEL = 0.72;

/** @typedef {ReturnType<typeof makeFigure>} Figure */

export class Figures {
  /**
   * @param {import("./index.js").TileSettings} settings
   * @param {import("./index.js").Context} context
   */
  constructor(settings, context) {
    this.settings = settings;
    this.context = context;
    this.figures = (settings.metrics || []).map(makeFigure);
    this.list = element("dl", "figure-list", ...this.figures.map((figure) => figure.node));
    setData(this.list, "count", String(this.figures.length));
  }

  mount(/** @type {HTMLElement} */ root) {
    root.append(this.list);
  }

  update(/** @type {import("../differences.js").Differences} */ changed) {
    const { catalogue, settings, store } = this.context;
    const scope = scopeOf(store, teamsOf(settings, this.settings), windowOf(this.settings), (metric) => catalogue.isAdditive(metric));
    for (const figure of this.figures) this.fill(figure, scope);
    if (!changed.isFirst) this.markNews(changed, scope);
  }

  destroy() {
    for (const figure of this.figures) clearTimeout(figure.timer);
    this.list.remove();
  }

  /**
   * @param {Figure} figure
   * @param {Scope} scope
   */
  fill(figure, scope) {
    const { catalogue, formats, texts } = this.context;
    const unit = catalogue.unit(figure.name);
    setData(figure.node, "unit", unit);
    fitText(figure.value, formats.values(scope.value(figure.name), unit, scope.currency, scope.bound(figure.name)));
    this.fitLabel(figure, catalogue.label(figure.name));
    const goal = scope.goal(figure.name);
    figure.bar.hidden = goal === null;
    setData(figure.node, "goal", (goal && goal.state) || "none");
    setText(figure.words, goal ? this.goalNote(goal, unit, scope) : this.note(figure.name, scope));
    figure.state.hidden = goal === null;
    if (goal === null) return;
    setIcon(figure.sign, GOAL_SIGNS[goal.state || "on_track"]);
    setText(figure.word, goalWord(goal, texts));
    fillBar(figure.fill, goalShare(goal));
    placeMark(figure.mark, expectedShare(goal));
  }

  /**
   * Words of some languages are long: measured anew only where they or their room have changed.
   * @param {Figure} figure
   * @param {string} label
   */
  fitLabel(figure, label) {
    const key = figure.label.clientWidth + " " + label;
    if (figure.label.dataset.fits === key) return;
    fitText(figure.label, [label], SMALLEST_LABEL);
    setData(figure.label, "fits", key);
  }

  /**
   * @param {import("../store.js").Goal} goal
   * @param {string} unit
   * @param {Scope} scope
   */
  goalNote(goal, unit, scope) {
    const { formats, texts } = this.context;
    // The shortest form that says what was set: $165K is not told as $170K.
    const target = formats.exactly(goal.target, unit, scope.currency).slice(-1)[0];
    return texts.say("goal.of_target", { share: goalPercent(goal, formats), target });
  }

  /**
   * @param {string} name
   * @param {Scope} scope
   */
  note(name, scope) {
    const companion = COMPANIONS[name];
    if (!companion) return "";
    const [metric, key] = companion;
    const { catalogue, formats, texts } = this.context;
    const value = formats.value(scope.value(metric), catalogue.unit(metric), scope.currency, scope.bound(metric));
    return value === NOTHING ? "" : texts.say(key, { value });
  }

  /**
   * A number that rarely moves lights up for a moment when it rises; one that always moves stays calm.
   * @param {import("../differences.js").Differences} changed
   * @param {Scope} scope
   */
  markNews(changed, scope) {
    const { now } = this.context;
    for (const { window, scope: key, metric, before, after } of changed.values) {
      if (window !== windowOf(this.settings) || !scope.keys.includes(key)) continue;
      const figure = this.figures.find((candidate) => candidate.name === metric);
      if (!figure || before === null || after === null) continue;
      const isNews = compareDecimals(after, before) > 0 && now - figure.changedAt > RAREST_NEWS;
      figure.changedAt = now;
      if (isNews) light(figure);
    }
  }
}

function light(/** @type {Figure} */ figure) {
  clearTimeout(figure.timer);
  figure.node.classList.add("news");
  figure.timer = window.setTimeout(() => figure.node.classList.remove("news"), LONGEST_NEWS);
}

function makeFigure(/** @type {string} */ name) {
  const label = element("dt", "label");
  const value = element("dd", "value");
  const words = element("span", "note-words");
  const sign = icon("live");
  const word = element("span", "word");
  const state = element("span", "goal-word", sign, word);
  const note = element("dd", "note", words, state);
  const fill = element("span", "goal-fill");
  const mark = element("span", "goal-mark");
  const bar = element("dd", "goal-bar", fill, mark);
  const node = element("div", "figure", label, value, note, bar);
  setData(node, "metric", name);
  return { name, node, label, value, words, sign, word, state, bar, fill, mark, changedAt: 0, timer: 0 };
}
