// A metric by day, as bars from zero: the axis tells no lies. The last one is today, and grows.

import { windowOf } from "../address.js";
import { Asked } from "../asked.js";
import { element, setText } from "../dom.js";
import { dateAt } from "../schedule.js";
import { scopeOf, teamsOf } from "../scope.js";
import { pointsTogether } from "../together.js";

const PAUSE = 60000;
const DAY = 86400000;
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 1000;
const HEIGHT = 400;
/** Days that a window reaches back, if the server has not told where it begins. @type {Record<string, number>} */
const DAYS = { week: 7, month: 31, quarter: 92, year: 366, "7d": 7, "30d": 30 };

/** @typedef {import("../together.js").Point} Point */

export class Trend {
  /**
   * @param {import("./index.js").TileSettings} settings
   * @param {import("./index.js").Context} context
   */
  constructor(settings, context) {
    this.settings = settings;
    this.context = context;
    this.metric = settings.metric || "";
    this.heading = element("h2", "heading");
    this.now = element("span", "trend-now");
    this.chart = document.createElementNS(SVG, "svg");
    this.chart.setAttribute("viewBox", [0, 0, WIDTH, HEIGHT].join(" "));
    this.chart.setAttribute("preserveAspectRatio", "none");
    this.chart.setAttribute("class", "trend-chart");
    this.chart.setAttribute("role", "img");
    this.most = element("span", "trend-most");
    this.least = element("span", "trend-least");
    this.first = element("span", "trend-first");
    this.last = element("span", "trend-last");
    this.node = element("div", "trend", element("div", "trend-scale", this.most, this.least), element("div", "trend-plot"),
      element("div", "trend-days", this.first, this.last));
    this.node.children[1].append(this.chart);
    this.empty = element("p", "empty");
    /** @type {Point[]} */
    this.points = [];
    this.drawn = "";
    this.asked = new Asked(() => this.ask(), PAUSE, (points) => { this.points = points; });
  }

  mount(/** @type {HTMLElement} */ root) {
    root.append(element("div", "tile-head", this.heading, this.now), this.node, this.empty);
  }

  async ask() {
    const { catalogue, clock, settings, store } = this.context;
    if (!store.hasSnapshot) return null;
    const { timezone } = store.organisation;
    const teams = teamsOf(settings, this.settings);
    const window = windowOf(this.settings);
    const row = store.rowsOf(window)[0];
    const begin = row && row.window && row.window.from ? Date.parse(row.window.from) : clock - (DAYS[window] - 1) * DAY;
    const path = "/v1/series/" + encodeURIComponent(this.metric);
    const query = { from: dateAt(begin, timezone), to: dateAt(clock, timezone), step: "1d" };
    const answers = (teams.length ? teams : [undefined]).map((team) => this.context.ask(path, { ...query, team }));
    return pointsTogether(await Promise.all(answers), catalogue.isAdditive(this.metric));
  }

  update() {
    const { catalogue, clock, formats, settings, store, texts } = this.context;
    if (store.hasSnapshot) this.asked.look(clock);
    const unit = catalogue.unit(this.metric);
    const scope = scopeOf(store, teamsOf(settings, this.settings), "today", (name) => catalogue.isAdditive(name));
    const today = scope.value(this.metric);
    const names = { metric: catalogue.label(this.metric), window: texts.window(windowOf(this.settings)) };
    setText(this.heading, texts.say("leaderboard.heading", names));
    setText(this.now, texts.say("trend.today", { value: formats.value(today, unit, scope.currency) }));
    const points = this.points.map((point, index) => (index === this.points.length - 1 ? { ...point, value: today } : point));
    this.chart.setAttribute("aria-label", texts.say("leaderboard.heading", names));
    const hasNumbers = points.some((point) => point.value !== null);
    this.node.hidden = !hasNumbers;
    setText(this.empty, store.hasSnapshot && !hasNumbers ? texts.say("trend.none") : "");
    this.draw(points, (value) => formats.values(value, unit, scope.currency).slice(-1)[0]);
  }

  /**
   * @param {Point[]} points
   * @param {(value: number) => string} write
   */
  draw(points, write) {
    const { formats } = this.context;
    const values = points.map((point) => (point.value === null ? null : Number(point.value)));
    const key = JSON.stringify([values, formats.locale]);
    if (key === this.drawn) return;
    this.drawn = key;
    const known = values.filter((value) => value !== null);
    const top = Math.max(0, .../** @type {number[]} */ (known));
    const bottom = Math.min(0, .../** @type {number[]} */ (known));
    setText(this.most, known.length ? write(top) : "");
    setText(this.least, known.length ? write(bottom) : "");
    setText(this.first, points.length ? formats.day(Date.parse(points[0].from)) : "");
    setText(this.last, points.length ? formats.day(Date.parse(points[points.length - 1].from)) : "");
    this.chart.textContent = "";
    const step = WIDTH / Math.max(1, values.length);
    const isMirrored = getComputedStyle(this.node).direction === "rtl";
    values.forEach((value, index) => {
      if (value === null || top === bottom) return;
      const place = isMirrored ? values.length - 1 - index : index;
      const zero = (top / (top - bottom)) * HEIGHT;
      const end = ((top - value) / (top - bottom)) * HEIGHT;
      const bar = document.createElementNS(SVG, "rect");
      bar.setAttribute("x", (place * step + step * 0.12).toFixed(2));
      bar.setAttribute("width", (step * 0.76).toFixed(2));
      bar.setAttribute("y", Math.min(zero, end).toFixed(2));
      bar.setAttribute("height", Math.max(1, Math.abs(end - zero)).toFixed(2));
      bar.setAttribute("class", index === values.length - 1 ? "bar-today" : "bar-day");
      this.chart.append(bar);
    });
  }

  destroy() {
    this.asked.end();
    for (const node of [this.heading.parentElement, this.node, this.empty]) if (node) node.remove();
  }
}
