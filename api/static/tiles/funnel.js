// How many come from step to step, and at which most are lost.

import { windowOf } from "../address.js";
import { Asked } from "../asked.js";
import { arrange, element, nameElement, setData, setText } from "../dom.js";
import { teamsOf } from "../scope.js";

const PAUSE = 15000;

/**
 * @typedef {object} Step
 * @property {string} step
 * @property {string} label
 * @property {number} entered  null where not all of the window is kept
 * @property {number} advanced
 * @property {number} lost
 * @property {number} open
 * @property {number | null} conversion
 */

export class Funnel {
  /**
   * @param {import("./index.js").TileSettings} settings
   * @param {import("./index.js").Context} context
   */
  constructor(settings, context) {
    this.settings = settings;
    this.context = context;
    this.metric = settings.metric || "";
    this.heading = element("h2", "heading");
    this.list = element("ol", "funnel");
    this.empty = element("p", "empty");
    /** @type {{ steps: Step[], worst: string | null } | null} */
    this.answer = null;
    /** @type {ReturnType<typeof makeStep>[]} */
    this.rows = [];
    this.asked = new Asked(() => this.ask(), PAUSE, (answer) => { this.answer = answer; });
  }

  mount(/** @type {HTMLElement} */ root) {
    root.append(element("div", "tile-head", this.heading), this.list, this.empty);
  }

  ask() {
    const teams = teamsOf(this.context.settings, this.settings);
    return this.context.ask("/v1/funnels/" + encodeURIComponent(this.metric), {
      window: windowOf(this.settings), team: teams.length === 1 ? teams[0] : undefined, pipeline: this.settings.pipeline,
    });
  }

  update() {
    const { catalogue, clock, store, texts } = this.context;
    if (store.hasSnapshot) this.asked.look(clock);
    const names = { metric: catalogue.label(this.metric), window: texts.window(windowOf(this.settings)) };
    setText(this.heading, texts.say("leaderboard.heading", names));
    // A window that is not kept has steps without numbers.
    const steps = ((this.answer && this.answer.steps) || []).filter((step) => step.entered !== null);
    setText(this.empty, this.answer && !steps.length ? texts.say("funnel.none") : "");
    while (this.rows.length < steps.length) this.rows.push(makeStep());
    const most = Math.max(1, ...steps.map((step) => step.entered));
    steps.forEach((step, index) => this.fill(this.rows[index], step, most));
    arrange(this.list, this.rows.slice(0, steps.length).map((row) => row.node));
  }

  /**
   * @param {ReturnType<typeof makeStep>} row
   * @param {Step} step
   * @param {number} most
   */
  fill(row, step, most) {
    const { formats, texts } = this.context;
    // Where nobody is lost, no step is one to look at.
    const isWorst = this.answer !== null && this.answer.worst === step.step && step.lost > 0;
    setData(row.node, "worst", String(isWorst));
    setText(row.label, step.label);
    setText(row.entered, formats.count(step.entered));
    const share = step.conversion === null ? "" : texts.say("funnel.go_on", { share: formats.share(step.conversion) });
    setText(row.note, isWorst ? texts.say("funnel.worst", { share: formats.share(step.conversion || 0) }) : share);
    row.advanced.style.width = percent(step.advanced, most);
    row.open.style.width = percent(step.open, most);
    row.lost.style.width = percent(step.lost, most);
  }

  destroy() {
    this.asked.end();
    for (const node of [this.heading.parentElement, this.list, this.empty]) if (node) node.remove();
  }
}

/**
 * @param {number} count
 * @param {number} most
 */
function percent(count, most) {
  return ((100 * count) / most).toFixed(3) + "%";
}

function makeStep() {
  const label = nameElement("label");
  const note = element("span", "note");
  const entered = element("span", "value");
  const advanced = element("span", "advanced");
  const open = element("span", "open");
  const lost = element("span", "lost");
  const track = element("span", "funnel-track", advanced, open, lost);
  return { node: element("li", "step", element("span", "step-words", label, note, entered), track), label, note, entered, advanced, open, lost };
}
