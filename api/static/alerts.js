// An alert as people are told it: the sign and word of its level, who has to act, and what it is about.

import { element, nameElement, setData, setText } from "./dom.js";
import { icon, setIcon } from "./icons.js";

/** @typedef {import("./store.js").Alert} Alert */
/** @typedef {import("./texts.js").TextKey} TextKey */
/** @typedef {import("./tiles/index.js").Context} Context */
/** @typedef {{ level: string, sign: string, word: string, owner: string, subject: string, duration?: string }} Entry */

/** @type {Record<string, [string, TextKey]>} */
const LEVELS = { escalate: ["escalated", "alerts.escalate"], breach: ["breached", "alerts.breach"], warn: ["warned", "alerts.warn"] };
/** @type {Record<string, [string, TextKey]>} */
const CROSSINGS = {
  below: ["warned", "alerts.below"], above: ["warned", "alerts.above"], reaches: ["done", "alerts.reached"],
};

/** Periods of goals that are windows as well. @type {Record<string, string>} */
const PERIODS = { day: "today", week: "week", month: "month", quarter: "quarter", year: "year" };

/**
 * @param {Alert} alert
 * @param {Context} context
 * @returns {Entry}
 */
export function alertEntry(alert, context) {
  const { store, texts } = context;
  const owner = store.holderName(alert);
  if (alert.goal) return milestone(alert, owner || store.organisation.name || "", context);
  if (alert.metric) return crossing(alert, owner || store.organisation.name || "", context);
  if (alert.connection) return missing(alert, context);
  const [sign, word] = LEVELS[alert.level];
  return { level: alert.level, sign, word: texts.say(word), owner: owner || (alert.rep ? "" : texts.say("leads.nobody")), ...wait(alert, context) };
}

/**
 * Who waits, and how long: people know a lead by its name or where it came from, not by the id that the CRM has given it.
 * @param {Alert} alert
 * @param {Context} context
 */
function wait(alert, { formats, now, store }) {
  const lead = store.leads.get(alert.lead || "");
  const started = Date.parse((lead && lead.started_at) || alert.started_at || "");
  const duration = Number.isNaN(started) ? "" : formats.duration(Math.floor(Math.max(0, now - started) / 1000));
  return { subject: (lead && lead.lead_name) || sourceText(lead && lead.source), duration };
}

/**
 * Says the limit, not the number: that is the one of the crossing, and moves on.
 * @param {Alert} alert
 * @param {string} owner
 * @param {Context} context
 * @returns {Entry}
 */
function crossing(alert, owner, { catalogue, formats, texts, window }) {
  const name = alert.metric || "";
  const [sign, word] = CROSSINGS[alert.comparison || ""] || CROSSINGS.above;
  const limit = formats.value(alert.limit, catalogue.unit(name), alert.currency || undefined);
  const isHere = !alert.window || alert.window === window;
  const metric = catalogue.label(name);
  const subject = isHere ? metric : texts.say("alerts.metric_window", { metric, window: texts.window(alert.window || "") });
  const level = alert.comparison === "reaches" ? "reached" : alert.level;
  return { level, sign, word: texts.say(word, { limit }), owner: subject, subject: owner };
}

/**
 * A goal says how much of it is reached, and in which period.
 * @param {Alert} alert
 * @param {string} owner
 * @param {Context} context
 * @returns {Entry}
 */
function milestone(alert, owner, { catalogue, formats, texts, window }) {
  const metric = catalogue.label(alert.metric || alert.goal || "");
  const period = (alert.period && alert.period.name) || "";
  const span = PERIODS[period] || "";
  const isHere = !span || span === window;
  const about = isHere ? metric : texts.say("alerts.metric_window", { metric, window: texts.window(span) });
  const word = texts.say("alerts.reached", { limit: formats.share(Number(alert.milestone) || 0) });
  return { level: "reached", sign: "done", word, owner: about, subject: owner };
}

/**
 * A connection whose webhooks do not bring all that its CRM changes.
 * @param {Alert} alert
 * @param {Context} context
 * @returns {Entry}
 */
function missing(alert, { texts }) {
  const subject = texts.say("alerts.missed");
  return { level: alert.level, sign: "warned", word: texts.say("alerts.connection"), owner: alert.connection || "", subject };
}

/** Where a lead comes from, as people would write it. */
export function sourceText(/** @type {string | null | undefined} */ source) {
  return source ? String(source).replace(/_/g, " ") : "";
}

export function makeChip() {
  const sign = icon("breached");
  const word = element("span", "word");
  const owner = nameElement("owner");
  const subject = nameElement("subject");
  const duration = element("span", "duration");
  return { node: element("li", "chip", sign, word, owner, element("span", "about", subject), duration), sign, word, owner, subject, duration };
}

/**
 * @param {ReturnType<typeof makeChip>} chip
 * @param {Entry} entry
 */
export function fillChip(chip, entry) {
  setData(chip.node, "level", entry.level);
  setIcon(chip.sign, entry.sign);
  setText(chip.word, entry.word);
  setText(chip.owner, entry.owner);
  setText(chip.subject, entry.subject);
  setText(chip.duration, entry.duration || "");
}
