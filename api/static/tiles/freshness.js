// How old the numbers are, connection by connection, and what the recount says of them.

import { arrange, element, nameElement, rowCapacity, setData, setText } from "../dom.js";
import { dayAndTime, NOTHING } from "../format.js";
import { connections, latency, verification } from "../freshness.js";
import { icon, setIcon } from "../icons.js";
import { CONNECTION_WORDS } from "./foot.js";

const ROW_REM = 3.4;
const GAP_REM = 0.4;

export class Freshness {
  /**
   * @param {import("./index.js").TileSettings} _settings
   * @param {import("./index.js").Context} context
   */
  constructor(_settings, context) {
    this.context = context;
    this.heading = element("h2", "heading");
    this.delay = element("span", "range");
    this.verified = element("p", "freshness-verified");
    this.list = element("ul", "freshness-list");
    /** @type {ReturnType<typeof makeRow>[]} */
    this.rows = [];
  }

  mount(/** @type {HTMLElement} */ root) {
    root.append(element("div", "tile-head", this.heading, this.delay), this.verified, this.list);
  }

  update() {
    const { clock, formats, now, state, store, texts } = this.context;
    // A screen that hears nothing cannot say that anything is live, nor that anything is right.
    const isHeard = state !== "disconnected" && state !== "refused";
    setText(this.heading, texts.say("freshness.heading"));
    this.delay.hidden = !isHeard;
    const p95 = latency(store.freshness);
    setText(this.delay, texts.say("freshness.delay", { duration: p95 === null ? NOTHING : formats.latency(p95) }));
    const found = isHeard ? verification(store.freshness) : null;
    const time = found === null ? "" : dayAndTime(formats, found.at, clock);
    const key = found !== null && found.isStale ? "freshness.not_verified" : "freshness.verified";
    setText(this.verified, found === null ? "" : texts.say(key, { time, count: found.differences }));
    const entries = connections(store.freshness, now).slice(0, rowCapacity(this.list, ROW_REM, GAP_REM));
    while (this.rows.length < entries.length) this.rows.push(makeRow());
    entries.forEach((entry, index) => this.fill(this.rows[index], isHeard ? entry : { ...entry, age: null, state: "disconnected" }));
    arrange(this.list, this.rows.slice(0, entries.length).map((row) => row.node));
  }

  /**
   * @param {ReturnType<typeof makeRow>} row
   * @param {import("../freshness.js").Connection} entry
   */
  fill(row, entry) {
    const { formats, texts } = this.context;
    setData(row.node, "state", entry.state);
    setIcon(row.sign, entry.state);
    setText(row.name, entry.name);
    setText(row.word, texts.say(CONNECTION_WORDS[entry.state]));
    setText(row.age, entry.age === null ? "" : formats.age(entry.age));
  }

  destroy() {
    for (const node of [this.heading.parentElement, this.verified, this.list]) if (node) node.remove();
  }
}

function makeRow() {
  const sign = icon("live");
  const name = nameElement("name");
  const word = element("span", "word");
  const age = element("span", "value");
  const node = element("li", "freshness-row", sign, name, word, age);
  return { node, sign, name, word, age };
}
