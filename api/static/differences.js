// What has changed between two pictures of the floor: what tiles light up by, and celebrations begin with. Pure.

/** @typedef {import("./store.js").Value} Value */
/** @typedef {import("./store.js").Row} Row */
/** @typedef {import("./store.js").Lead} Lead */
/** @typedef {import("./store.js").Alert} Alert */
/** @typedef {import("./store.js").Win} Win */

/**
 * One value that is another one now. `scope` is `organisation`, `team:<id>` or `rep:<id>`; null: there is none.
 * @typedef {{ window: string, scope: string, metric: string, before: Value, after: Value }} ValueChange
 */

/**
 * Something that has come (no `before`), gone (no `after`) or become something else.
 * @template T
 * @typedef {{ id: string, before: T | null, after: T | null, said?: T }} Change as an event `said` it, where one did
 */

/**
 * @typedef {object} Differences
 * @property {boolean} isFirst whether it is all that there was when the screen first looked: nothing has happened then
 * @property {ValueChange[]} values
 * @property {Change<Lead>[]} leads
 * @property {Change<Alert>[]} alerts
 * @property {Change<Win>[]} wins
 */

/**
 * All that is known of the floor at one moment; rows by window and scope.
 * @typedef {object} Picture
 * @property {Map<string, Map<string, Row>>} rows
 * @property {Map<string, Lead>} leads
 * @property {Map<string, Alert>} alerts
 * @property {Map<string, Win>} wins
 */

/** @returns {Differences} */
export function nothing() {
  return { isFirst: false, values: [], leads: [], alerts: [], wins: [] };
}

/**
 * Adds what has changed since to what is waiting to be drawn.
 * @param {Differences} waiting
 * @param {Differences} more
 */
export function add(waiting, more) {
  waiting.isFirst = waiting.isFirst || more.isFirst;
  waiting.values.push(...more.values);
  waiting.leads.push(...more.leads);
  waiting.alerts.push(...more.alerts);
  waiting.wins.push(...more.wins);
}

/**
 * What a whole new picture changes.
 * @param {Picture} before
 * @param {Picture} after
 * @param {boolean} isFirst
 * @returns {Differences}
 */
export function difference(before, after, isFirst) {
  return {
    isFirst,
    values: valueChanges(before.rows, after.rows),
    leads: changes(before.leads, after.leads),
    alerts: changes(before.alerts, after.alerts),
    wins: changes(before.wins, after.wins),
  };
}

/**
 * @param {Map<string, Map<string, Row>>} before
 * @param {Map<string, Map<string, Row>>} after
 */
function valueChanges(before, after) {
  /** @type {ValueChange[]} */
  const found = [];
  for (const [window, rows] of after) {
    const held = before.get(window) || new Map();
    for (const scope of new Set([...held.keys(), ...rows.keys()])) {
      const old = metricsOf(held.get(scope));
      const now = metricsOf(rows.get(scope));
      for (const metric of new Set([...Object.keys(old), ...Object.keys(now)])) {
        const change = { window, scope, metric, before: valueOf(old, metric), after: valueOf(now, metric) };
        if (change.before !== change.after) found.push(change);
      }
    }
  }
  return found;
}

function metricsOf(/** @type {Row | undefined} */ row) {
  return row ? row.metrics : {};
}

/**
 * @param {Record<string, Value>} metrics
 * @param {string} name
 */
function valueOf(metrics, name) {
  return name in metrics ? metrics[name] : null;
}

/**
 * @template T
 * @param {Map<string, T>} before
 * @param {Map<string, T>} after
 */
function changes(before, after) {
  /** @type {Change<T>[]} */
  const found = [];
  for (const id of new Set([...before.keys(), ...after.keys()])) {
    const change = { id, before: before.get(id) || null, after: after.get(id) || null };
    if (JSON.stringify(change.before) !== JSON.stringify(change.after)) found.push(change);
  }
  return found;
}
