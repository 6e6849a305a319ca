// How many come from step to step, and at which most are lost.

import { windowOf } from "../address.js";
import { Asked } from "../asked.js";
import { arrange, element, fitNames, nameElement, rowCapacity, setData, setText } from "../dom.js";
import { teamsOf } from "../scope.js";
import { stepsTogether } from "../together.js";

const PAUSE = 15000;
const ROW_REM = 4.2;
const GAP_REM = 0.6;

/** @typedef {import("../together.js").Step} Step */

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
    /** @type {import("../together.js").FunnelAnswer | null} */
    this.answer = null;
    /** @type {ReturnType<typeof makeStep>[]} */
    this.rows = [];
    this.asked = new Asked(() => this.ask(), PAUSE, (answer) => { this.answer = answer; });
  }

  mount(/** @type {HTMLElement} */ root) {
    root.append(element("div", "tile-head", this.heading), this.list, this.empty);
  }

  async ask() {
    const teams = teamsOf(this.context.settings, this.settings);
    const path = "/v1/funnels/" + encodeURIComponent(this.metric);
    const query = { window: windowOf(this.settings), pipeline: this.settings.pipeline };
    return stepsTogether(await Promise.all((teams.length ? teams : [undefined]).map((team) => this.context.ask(path, { ...query, team }))));
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
    setData(this.list, "tight", String(rowCapacity(this.list, ROW_REM, GAP_REM) < steps.length));
    const most = Math.max(1, ...steps.map((step) => Number(step.entered)));
    steps.forEach((step, index) => this.fill(this.rows[index], step, most));
    arrange(this.list, this.rows.slice(0, steps.length).map((row) => row.node));
    fitNames(this.rows.slice(0, steps.length).map((row) => {
      const key = [this.list.clientWidth, row.note.textContent, row.entered.textContent, row.label.textContent].join(" ");
      return { name: row.label, key };
    }));
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
    setText(row.label, texts.step(step));
    setText(row.entered, formats.count(Number(step.entered)));
    const share = step.conversion === null ? "" : texts.say("funnel.go_on", { share: formats.share(step.conversion) });
    setText(row.note, share);
    setText(row.worst, isWorst ? texts.say("funnel.worst") : "");
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
  const worst = element("span", "worst");
  const entered = element("span", "value");
  const advanced = element("span", "advanced");
  const open = element("span", "open");
  const lost = element("span", "lost");
  const track = element("span", "funnel-track", advanced, open, lost);
  return { node: element("li", "step", element("span", "step-words", label, note, worst, entered), track), label, note, worst, entered, advanced, open, lost };
}
