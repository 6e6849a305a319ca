// The open breaches and escalations, and metrics beyond a limit, in the masthead; when the connection is lost, that,
// because it comes before all else.

import { arrange, element, nameElement, onFirstLine, setData, setText } from "../dom.js";
import { icon, setIcon } from "../icons.js";
import { sourceText } from "./leads.js";

/** @typedef {import("../store.js").Alert} Alert */
/** @typedef {import("../texts.js").TextKey} TextKey */

/**
 * One entry of the strip: the sign and word of its level, who has to act, and what it is about.
 * @typedef {{ level: string, sign: string, word: string, owner: string, subject: string }} Entry
 */

/** @type {Record<string, [string, TextKey]>} */
const LEVELS = { escalate: ["escalated", "alerts.escalate"], breach: ["breached", "alerts.breach"] };
/** @type {Record<string, [string, TextKey]>} */
const CROSSINGS = {
  below: ["warned", "alerts.below"], above: ["warned", "alerts.above"], reaches: ["done", "alerts.reached"],
};
const MOST_CHIPS = 6;

export class Alerts {
  /**
   * @param {import("./index.js").TileSettings} settings
   * @param {import("./index.js").Context} context
   */
  constructor(settings, context) {
    this.settings = settings;
    this.context = context;
    this.list = element("ul", "alert-list");
    this.more = element("p", "alert-more");
    /** @type {ReturnType<typeof makeChip>[]} */
    this.chips = [];
  }

  mount(/** @type {HTMLElement} */ root) {
    this.root = root;
    root.append(this.list, this.more);
  }

  update() {
    const { now, state, store, texts } = this.context;
    const entries = state === "disconnected" ? [this.lost()] : [];
    for (const alert of store.graveAlerts(now)) entries.push(this.entry(alert));
    if (this.root) setData(this.root, "count", String(entries.length));
    const shown = entries.slice(0, MOST_CHIPS);
    while (this.chips.length < shown.length) this.chips.push(makeChip());
    shown.forEach((entry, index) => fill(this.chips[index], entry));
    arrange(this.list, this.chips.slice(0, shown.length).map((chip) => chip.node));
    const hidden = entries.length - onFirstLine(this.list);
    setText(this.more, hidden > 0 ? texts.say("alerts.more", { count: hidden }) : "");
  }

  destroy() {
    this.list.remove();
    this.more.remove();
  }

  /** @returns {Entry} */
  lost() {
    const { asOf, formats, store, texts } = this.context;
    const time = formats.time(asOf);
    const owner = store.hasSnapshot ? texts.say("alerts.last_known", { time }) : texts.say("alerts.no_numbers");
    return { level: "lost", sign: "disconnected", word: texts.say("alerts.lost"), owner, subject: "" };
  }

  /** @returns {Entry} */
  entry(/** @type {Alert} */ alert) {
    const { store, texts } = this.context;
    const owner = alert.rep ? alert.name || store.repName(alert.rep) : store.teamName(alert.team);
    if (alert.metric) return this.crossing(alert, owner || store.organisation.name || "");
    const [sign, word] = LEVELS[alert.level];
    return { level: alert.level, sign, word: texts.say(word), owner: owner || texts.say("leads.nobody"), subject: this.wait(alert) };
  }

  /** What waits, and how long: people know it by where it came from, not by the id that the CRM has given it. */
  wait(/** @type {Alert} */ alert) {
    const { formats, now, store, texts } = this.context;
    const lead = store.leads.get(alert.lead || "");
    const started = Date.parse((lead && lead.started_at) || alert.started_at || "");
    const duration = Number.isNaN(started) ? "" : formats.duration(Math.floor(Math.max(0, now - started) / 1000));
    const source = sourceText(lead && lead.source);
    return source && duration ? texts.say("alerts.waits", { source, duration }) : source || duration;
  }

  /**
   * Says the limit, not the number: that is the one of the crossing, and moves on.
   * @param {Alert} alert
   * @param {string} owner
   * @returns {Entry}
   */
  crossing(alert, owner) {
    const { catalogue, formats, texts } = this.context;
    const name = alert.metric || "";
    const [sign, word] = CROSSINGS[alert.comparison || ""] || CROSSINGS.above;
    const limit = formats.value(alert.limit, catalogue.unit(name), alert.currency || undefined);
    const isHere = !alert.window || alert.window === this.settings.window;
    const metric = catalogue.label(name);
    const subject = isHere ? metric : texts.say("alerts.metric_window", { metric, window: texts.window(alert.window || "") });
    const level = alert.comparison === "reaches" ? "reached" : alert.level;
    return { level, sign, word: texts.say(word, { limit }), owner: subject, subject: owner };
  }
}

function makeChip() {
  const sign = icon("breached");
  const word = element("span", "word");
  const owner = nameElement("owner");
  const subject = nameElement("subject");
  return { node: element("li", "chip", sign, word, owner, subject), sign, word, owner, subject };
}

/**
 * @param {ReturnType<typeof makeChip>} chip
 * @param {Entry} entry
 */
function fill(chip, entry) {
  setData(chip.node, "level", entry.level);
  setIcon(chip.sign, entry.sign);
  setText(chip.word, entry.word);
  setText(chip.owner, entry.owner);
  setText(chip.subject, entry.subject);
}
