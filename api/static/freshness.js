// How old what is shown is, and so whether it can be believed. Pure.

/** @typedef {"new" | "live" | "closed" | "delayed" | "stale" | "disconnected"} State */

/**
 * What the api says of its own age (`/v1/freshness`).
 * @typedef {object} Freshness
 * @property {string} [server_time]
 * @property {{ connection: string, last_delivery_at: string | null }[]} [connections]
 * @property {{ p95: number | null }} [end_to_end_seconds]
 * @property {number} [behind_seconds]
 * @property {{ calendar: string, is_open: boolean, since: string | null, until: string | null }[]} [calendars]
 * @property {{ verified_at: string | null, differences: number, stale: boolean } | null} [verification]
 */

/** @typedef {{ name: string, age: number | null, state: State }} Connection `age`: of the last delivery; null: there was none */

/** @typedef {{ isOpen: boolean, lostFor: number, silence: number }} Link what is known of the stream, in milliseconds */

// The api says something every five seconds: ten seconds after it has gone nobody takes the numbers for new ones.
export const SILENCE_LIMIT = 8500;
// A server that starts anew, or a network that blinks, is no outage yet.
const LOSS_LIMIT = 4000;

/** @type {State[]} */
const SEVERITY = ["new", "live", "closed", "delayed", "stale", "disconnected"];
const BEHIND_LIMITS = [5, 60];
const DELIVERY_AGE_LIMITS = [5 * 60000, 30 * 60000];

/**
 * The state of the whole screen.
 * @param {Link} link
 * @param {Freshness | null} freshness
 * @param {number} now
 * @param {string[]} [calendars] by which those work whom the screen is for
 * @returns {State}
 */
export function boardState(link, freshness, now, calendars = []) {
  if (link.silence > SILENCE_LIMIT || link.lostFor > LOSS_LIMIT) return "disconnected";
  if (!link.isOpen) return "delayed";
  const delivered = everyConnectionState(freshness, now);
  // Who does not work delivers nothing: that is no outage.
  const isQuiet = delivered === "delayed" || delivered === "stale";
  return worst(pipelineState(freshness), isQuiet && closedSince(freshness, calendars) !== null ? "closed" : delivered);
}

/**
 * Since when nobody works, in milliseconds: all of these calendars are closed. Null: somebody does, or nobody knows.
 * @param {Freshness | null} freshness
 * @param {string[]} names
 */
export function closedSince(freshness, names) {
  const served = (freshness && freshness.calendars) || [];
  const found = served.filter((each) => names.includes(each.calendar));
  if (!found.length || found.some((each) => each.is_open)) return null;
  const ends = found.map((each) => Date.parse(each.since || "")).filter((at) => !Number.isNaN(at));
  return ends.length ? Math.max(...ends) : null;
}

/**
 * Numbers stand still when processing does, though the connection to the screen lives. What was late within the last
 * minutes, and is there by now, is no reason to doubt them.
 * @returns {State}
 */
function pipelineState(/** @type {Freshness | null} */ freshness) {
  return byLimits(freshness && freshness.behind_seconds, BEHIND_LIMITS, "new");
}

/**
 * One silent CRM of several is shown at its name only; all of them silent make the screen stale. None that has ever
 * delivered is no silence but a beginning.
 * @param {Freshness | null} freshness
 * @param {number} now
 * @returns {State}
 */
function everyConnectionState(freshness, now) {
  const begun = connections(freshness, now).filter((connection) => connection.state !== "new").map((connection) => connection.state);
  if (!begun.length) return freshness && freshness.connections ? "new" : "live";
  return begun.reduce((a, b) => (SEVERITY.indexOf(a) < SEVERITY.indexOf(b) ? a : b));
}

/**
 * Per connection: name, age of the last delivery, state; the worst first.
 * @param {Freshness | null} freshness
 * @param {number} now
 * @returns {Connection[]}
 */
export function connections(freshness, now) {
  const served = (freshness && freshness.connections) || [];
  return served.map((entry) => {
    const at = Date.parse(entry.last_delivery_at || "");
    const age = Number.isNaN(at) ? null : Math.max(0, now - at);
    return { name: String(entry.connection), age, state: age === null ? "new" : byLimits(age, DELIVERY_AGE_LIMITS, "live") };
  }).sort((a, b) => SEVERITY.indexOf(b.state) - SEVERITY.indexOf(a.state) || (a.name < b.name ? -1 : 1));
}

/** Whether nothing has ever been delivered: a new installation, of which nobody must think that something is broken. */
export function isNew(/** @type {Freshness | null} */ freshness) {
  const served = freshness && freshness.connections;
  return Boolean(served && served.every((entry) => !entry.last_delivery_at));
}

/**
 * The 95th percentile from webhook to screen of the last minutes, in seconds; null while nothing happened.
 * @returns {number | null}
 */
export function latency(/** @type {Freshness | null} */ freshness) {
  const served = freshness && freshness.end_to_end_seconds;
  return served && typeof served.p95 === "number" ? served.p95 : null;
}

/** What the continuous recount found: when, how many values differ, and what that makes of it; null: there is none. */
export function verification(/** @type {Freshness | null} */ freshness) {
  const served = freshness && freshness.verification;
  const at = Date.parse((served && served.verified_at) || "");
  if (!served || Number.isNaN(at)) return null;
  const state = served.differences > 0 ? "wrong" : served.stale ? "stale" : "right";
  return { state, at, differences: served.differences, isStale: served.stale === true };
}

/**
 * @param {number | null | undefined} value
 * @param {number[]} limits of what is delayed, and what is stale
 * @param {State} good
 * @returns {State}
 */
function byLimits(value, [delayed, stale], good) {
  if (value === null || value === undefined || value < delayed) return good;
  return value < stale ? "delayed" : "stale";
}

/**
 * @param {State} a
 * @param {State} b
 * @returns {State}
 */
export function worst(a, b) {
  return SEVERITY.indexOf(a) > SEVERITY.indexOf(b) ? a : b;
}
