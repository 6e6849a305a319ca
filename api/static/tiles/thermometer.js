// How far all together are on the way to their goal, and where they should be by now.

import { windowOf } from "../address.js";
import { element, fillBar, placeMark, setData, setText } from "../dom.js";
import { expectedShare, GOAL_SIGNS, goalPercent, goalShare, goalWord } from "../goals.js";
import { icon, setIcon } from "../icons.js";
import { scopeOf, teamsOf } from "../scope.js";

export class Thermometer {
  /**
   * @param {import("./index.js").TileSettings} settings
   * @param {import("./index.js").Context} context
   */
  constructor(settings, context) {
    this.settings = settings;
    this.context = context;
    this.metric = settings.metric || "";
    this.heading = element("h2", "heading");
    this.value = element("p", "thermometer-value");
    this.target = element("p", "thermometer-target");
    this.fill = element("span", "thermometer-fill");
    this.mark = element("span", "thermometer-mark");
    this.tube = element("div", "thermometer-tube", this.fill, this.mark);
    this.sign = icon("live");
    this.word = element("span", "word");
    this.state = element("p", "goal-state", this.sign, this.word);
    this.node = element("div", "thermometer", this.value, this.target, this.tube, this.state);
  }

  mount(/** @type {HTMLElement} */ root) {
    root.append(element("div", "tile-head", this.heading), this.node);
  }

  update() {
    const { catalogue, formats, settings, store, texts } = this.context;
    const window = windowOf(this.settings);
    const scope = scopeOf(store, teamsOf(settings, this.settings), window, (name) => catalogue.isAdditive(name));
    const unit = catalogue.unit(this.metric);
    const goal = scope.goal(this.metric);
    const names = { metric: catalogue.label(this.metric), window: texts.window(window) };
    setText(this.heading, texts.say("leaderboard.heading", names));
    setText(this.value, formats.value(scope.value(this.metric), unit, scope.currency, scope.bound(this.metric)));
    this.tube.hidden = goal === null;
    this.state.hidden = goal === null;
    if (goal === null) {
      setText(this.target, store.hasSnapshot ? texts.say("goal.none") : "");
      return;
    }
    const share = goalPercent(goal, formats);
    setText(this.target, texts.say("goal.of_target", { share, target: formats.exactly(goal.target, unit, scope.currency)[0] }));
    fillBar(this.fill, goalShare(goal));
    placeMark(this.mark, expectedShare(goal));
    setData(this.node, "state", goal.state || "none");
    setIcon(this.sign, GOAL_SIGNS[goal.state || "on_track"]);
    setText(this.word, goalWord(goal, texts));
  }

  destroy() {
    for (const node of [this.heading.parentElement, this.node]) if (node) node.remove();
  }
}
