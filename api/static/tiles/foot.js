// How far the numbers can be trusted: as of when, what a recount of the log found, how long from webhook to screen, and
// each connection's last delivery.

import { arrange, element, nameElement, onFirstLine, setData, setText } from "../dom.js";
import { dayAndTime, NOTHING } from "../format.js";
import { connections, latency, verification } from "../freshness.js";
import { icon, setIcon } from "../icons.js";

/** @typedef {import("../freshness.js").State} State */

const MOST_CONNECTIONS = 12;
/** @type {Record<string, string>} */
const SIGNS = { right: "live", wrong: "breached", stale: "stale" };

export class Foot {
  /**
   * @param {import("./index.js").TileSettings} _settings
   * @param {import("./index.js").Context} context
   */
  constructor(_settings, context) {
    this.context = context;
    this.asOf = element("p", "as-of");
    this.sign = icon("live");
    this.words = element("span", "words");
    this.verified = element("p", "verified", this.sign, this.words);
    this.list = element("ul", "connection-list");
    this.more = element("p", "connection-more");
    this.delay = element("p", "latency");
    /** @type {ReturnType<typeof makeChip>[]} */
    this.chips = [];
  }

  mount(/** @type {HTMLElement} */ root) {
    root.append(this.asOf, this.verified, this.list, this.more, this.delay);
  }

  update() {
    const { asOf, formats, now, state, store, texts } = this.context;
    // A screen that hears nothing cannot say that anything is live, nor that anything is right.
    const isHeard = state !== "disconnected" && state !== "refused";
    const p95 = latency(store.freshness);
    setText(this.asOf, texts.say("freshness.as_of", { time: store.hasSnapshot ? formats.time(asOf, true) : NOTHING }));
    this.showVerified(isHeard ? verification(store.freshness) : null);
    this.delay.hidden = !isHeard;
    setText(this.delay, texts.say("freshness.delay", { duration: p95 === null ? NOTHING : formats.latency(p95) }));
    this.showConnections(isHeard ? connections(store.freshness, now) : []);
  }

  destroy() {
    for (const node of [this.asOf, this.verified, this.list, this.more, this.delay]) node.remove();
  }

  showVerified(/** @type {ReturnType<typeof verification>} */ found) {
    const { clock, formats, texts } = this.context;
    this.verified.hidden = found === null;
    if (found === null) return;
    const time = dayAndTime(formats, found.at, clock);
    const key = found.isStale ? "freshness.not_verified" : "freshness.verified";
    setData(this.verified, "state", found.state);
    setIcon(this.sign, SIGNS[found.state]);
    setText(this.words, texts.say(key, { time, count: found.differences }));
  }

  /** Connections that do not fit wrap into lines below the visible one; the worst come first. */
  showConnections(/** @type {import("../freshness.js").Connection[]} */ entries) {
    const shown = entries.slice(0, MOST_CONNECTIONS);
    while (this.chips.length < shown.length) this.chips.push(makeChip());
    shown.forEach((entry, index) => this.fill(this.chips[index], entry));
    arrange(this.list, this.chips.slice(0, shown.length).map((chip) => chip.node));
    const hidden = entries.length - onFirstLine(this.list);
    setText(this.more, hidden > 0 ? this.context.texts.say("freshness.more", { count: hidden }) : "");
  }

  /**
   * @param {ReturnType<typeof makeChip>} chip
   * @param {import("../freshness.js").Connection} entry
   */
  fill(chip, entry) {
    const { formats, texts } = this.context;
    setData(chip.node, "state", entry.state);
    setIcon(chip.sign, entry.state);
    setText(chip.name, entry.name);
    setText(chip.word, texts.say(CONNECTION_WORDS[entry.state]));
    setText(chip.age, entry.age === null ? "" : formats.age(entry.age));
  }
}

/** @type {Record<State, import("../texts.js").TextKey>} */
export const CONNECTION_WORDS = {
  new: "freshness.new", live: "freshness.live", delayed: "freshness.delayed", stale: "freshness.stale",
  closed: "freshness.closed", disconnected: "freshness.disconnected",
};

function makeChip() {
  const sign = icon("live");
  const name = nameElement("name");
  const word = element("span", "word");
  const age = element("span", "age");
  return { node: element("li", "connection", sign, name, word, age), sign, name, word, age };
}
