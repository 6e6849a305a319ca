// How old what is shown is, as one of four states: live, delayed, stale, disconnected. Pure.

export const WORDS = { live: "Live", delayed: "Delayed", stale: "Stale", disconnected: "Disconnected" };

// Three heartbeats of 5 s missed, and one second for the network.
export const SILENCE_LIMIT = 16000;

const SEVERITY = ["live", "delayed", "stale", "disconnected"];
const LATENCY_LIMITS = [5, 60];
const DELIVERY_AGE_LIMITS = [5 * 60000, 30 * 60000];

/** The state of the whole screen. `silence` is the time since the last sign of life, in milliseconds. */
export function boardState(isOpen, silence, freshness, now) {
  if (silence > SILENCE_LIMIT) return "disconnected";
  if (!isOpen) return "delayed";
  return worst(pipelineState(freshness), everyConnectionState(freshness, now));
}

/** Numbers stand still when processing does, though the connection to the screen lives. */
function pipelineState(freshness) {
  if (!freshness) return "live";
  const served = SEVERITY.includes(freshness.state) ? freshness.state : "live";
  return worst(served, worst(byLimits(latency(freshness), LATENCY_LIMITS), byLimits(freshness.behind_seconds, LATENCY_LIMITS)));
}

/** One silent CRM of several is shown at its name only; all of them silent make the screen stale. */
function everyConnectionState(freshness, now) {
  const states = connections(freshness, now).map((connection) => connection.state);
  if (!states.length) return "live";
  const best = states.reduce((a, b) => (SEVERITY.indexOf(a) < SEVERITY.indexOf(b) ? a : b));
  return best === "disconnected" ? "stale" : best;
}

/** Per connection: name, age of the last delivery in milliseconds (null: never), state; the worst first. */
export function connections(freshness, now) {
  const served = (freshness && freshness.connections) || [];
  const list = Array.isArray(served) ? served : Object.keys(served).map((name) => ({ connection: name, ...served[name] }));
  return list.map((entry) => connectionState(entry, now))
    .sort((a, b) => SEVERITY.indexOf(b.state) - SEVERITY.indexOf(a.state) || (a.name < b.name ? -1 : 1));
}

function connectionState(entry, now) {
  const name = String(entry.connection || entry.name || "");
  const at = Date.parse(entry.last_delivery_at || entry.last_delivery || "");
  if (Number.isNaN(at)) return { name, age: null, state: "disconnected" };
  const age = Math.max(0, now - at);
  const served = SEVERITY.includes(entry.state) ? entry.state : byLimits(age, DELIVERY_AGE_LIMITS);
  return { name, age, state: served };
}

/** The 95th percentile from webhook to screen of the last minutes, in seconds; null while nothing happened. */
export function latency(freshness) {
  const served = freshness && (freshness.end_to_end_seconds || freshness.end_to_end || freshness.latency);
  return served && typeof served.p95 === "number" ? served.p95 : null;
}

/** What the continuous recount found: state `right`, `wrong` or `stale`, when, how many values differ; null: there is none. */
export function verification(freshness) {
  const served = freshness && freshness.verification;
  const at = Date.parse((served && served.verified_at) || "");
  if (Number.isNaN(at)) return null;
  const state = served.differences > 0 ? "wrong" : served.stale ? "stale" : "right";
  return { state, at, differences: served.differences, isStale: served.stale === true };
}

function byLimits(value, [delayed, stale]) {
  if (value === null || value === undefined || value < delayed) return "live";
  return value < stale ? "delayed" : "stale";
}

export function worst(a, b) {
  return SEVERITY.indexOf(a) > SEVERITY.indexOf(b) ? a : b;
}
