// What was won last: who, how much, when; the newest first.

import { arrange, element, fitNames, nameElement, rowCapacity, rowSize, setData, setText } from "../dom.js";
import { Asked } from "../asked.js";
import { dayAndTime } from "../format.js";
import { icon } from "../icons.js";
import { Portrait } from "../portrait.js";
import { isOfTile } from "../scope.js";
import { winWords } from "../wins.js";

/** @typedef {import("../store.js").Win} Win */
/** @typedef {ReturnType<typeof makeRow>} WinRow */

const ROW_REM = 6.2;
const GAP_REM = 0.6;
const OLDER_PAUSE = 300000;

export class Wins {
  /**
   * @param {import("./index.js").TileSettings} settings
   * @param {import("./index.js").Context} context
   */
  constructor(settings, context) {
    this.settings = settings;
    this.context = context;
    this.heading = element("h2", "heading");
    this.list = element("ol", "win-list");
    this.empty = element("p", "empty");
    /** @type {Map<string, WinRow>} */
    this.rows = new Map();
    /** What was won before today: the morning has a list too. @type {Win[]} */
    this.older = [];
    const query = { window: "30d", limit: settings.limit, team: settings.team };
    this.asked = new Asked(() => context.ask("/v1/wins", query), OLDER_PAUSE, (answer) => { this.older = answer.rows || []; });
  }

  mount(/** @type {HTMLElement} */ root) {
    root.append(element("div", "tile-head", this.heading), this.list, this.empty);
  }

  update() {
    const { clock, store, texts } = this.context;
    this.asked.look(clock);
    const room = Math.min(this.settings.limit || 6, rowCapacity(this.list, ROW_REM, GAP_REM));
    const wins = this.wins().slice(0, room);
    setText(this.heading, texts.say("wins.heading"));
    setText(this.empty, store.hasSnapshot && !wins.length ? texts.say("wins.none") : "");
    arrange(this.list, wins.map((win) => this.row(win.win).node));
    setData(this.list, "size", rowSize(this.list, wins.length));
    for (const win of wins) this.fill(this.row(win.win), win);
    fitNames(wins.map((win) => {
      const { amount, who } = this.row(win.win);
      const key = [this.list.clientWidth, this.list.dataset.size, amount.textContent, who.textContent].join(" ");
      return { name: who, key };
    }));
    const shown = new Set(wins.map((win) => win.win));
    for (const id of Array.from(this.rows.keys())) if (!shown.has(id)) this.rows.delete(id);
  }

  /** Those of today as the stream tells them, then older ones. @returns {Win[]} */
  wins() {
    const { store } = this.context;
    const found = new Map(this.older.filter((win) => !store.withdrawn.has(win.win)).map((win) => [win.win, win]));
    for (const [id, win] of store.wins) found.set(id, win);
    return Array.from(found.values())
      .filter((win) => !win.withdrawn && isOfTile(this.settings, win.team))
      .sort((a, b) => Date.parse(b.at) - Date.parse(a.at) || (a.win < b.win ? -1 : 1));
  }

  row(/** @type {string} */ id) {
    const row = this.rows.get(id) || makeRow(id);
    this.rows.set(id, row);
    return row;
  }

  /**
   * @param {WinRow} row
   * @param {Win} win
   */
  fill(row, win) {
    const { clock, formats } = this.context;
    const words = winWords(win, this.context);
    setData(row.node, "cause", win.cause);
    row.portrait.show(this.context.settings, win.rep ? words.who : "", win.photo);
    row.sign.toggleAttribute("hidden", !row.portrait.node.hidden);
    setText(row.who, words.who);
    setText(row.what, words.what);
    setText(row.amount, words.amount);
    setText(row.when, dayAndTime(formats, Date.parse(win.at), clock));
  }

  destroy() {
    this.asked.end();
    for (const node of [this.heading.parentElement, this.list, this.empty]) if (node) node.remove();
  }
}

function makeRow(/** @type {string} */ id) {
  const who = nameElement("who-won");
  const what = nameElement("what");
  const amount = element("span", "amount");
  const when = element("time", "when");
  const portrait = new Portrait();
  const sign = icon("won");
  const node = element("li", "win", portrait.node, sign, element("span", "win-words", who, what), element("span", "win-sum", amount, when));
  setData(node, "win", id);
  return { node, portrait, sign, who, what, amount, when };
}
