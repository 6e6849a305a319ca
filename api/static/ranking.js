// Who stands where, and which of them are on the screen now. Pure.

import { compareDecimals } from "./format.js";

/** @typedef {import("./store.js").Row} Row */
/** @typedef {import("./store.js").Value} Value */

/**
 * @typedef {object} Entry
 * @property {string} rep
 * @property {string} name
 * @property {string | null} team
 * @property {string | null} photo
 * @property {string} [currency]
 * @property {Value} value
 * @property {number} [bound]
 * @property {number | null} rank
 * @property {import("./store.js").Goal | null} goal
 * @property {"" | "team" | "rep"} apart by what they are told from others of their name, where there are any
 */

const MOST_ROWS = 12;
const TURN_MILLISECONDS = 10000;

/**
 * Reps in order with their ranks: 1, 2, 2, 4; without a value last and without a rank.
 * @param {Row[]} rows of reps
 * @param {string} metric
 * @param {boolean} isLowerBetter
 * @param {(one: string, other: string) => number} compareNames
 * @returns {Entry[]}
 */
export function rank(rows, metric, isLowerBetter, compareNames) {
  return ranked(rows, metric, isLowerBetter ? 1 : -1, (entry) => entry.value, compareNames);
}

/**
 * Reps by how much of their own goal they have; who has none comes last, without a rank.
 * @param {Row[]} rows of reps
 * @param {string} metric
 * @param {(one: string, other: string) => number} compareNames
 * @returns {Entry[]}
 */
export function rankByGoal(rows, metric, compareNames) {
  return ranked(rows, metric, -1, (entry) => (entry.goal ? entry.goal.attainment : null), compareNames);
}

/**
 * @param {Row[]} rows
 * @param {string} metric
 * @param {number} direction
 * @param {(entry: Entry) => Value} standing what they are ranked by
 * @param {(one: string, other: string) => number} compareNames
 * @returns {Entry[]}
 */
function ranked(rows, metric, direction, standing, compareNames) {
  /** @type {Entry[]} */
  const entries = rows.map((row) => ({
    // Whose name the screen is not told has none: an id is no name.
    rep: row.rep || "", name: row.name === null ? "" : row.name || row.rep || "", team: row.team || null, currency: row.currency,
    value: metric in row.metrics ? row.metrics[metric] : null, bound: row.bounds[metric], rank: null, apart: "",
    goal: (row.goals && row.goals[metric]) || null, photo: row.photo || null,
  }));
  const order = (/** @type {Entry} */ a, /** @type {Entry} */ b) => {
    const [one, other] = [standing(a), standing(b)];
    if (one === null || other === null) return Number(one === null) - Number(other === null);
    return direction * compareDecimals(one, other);
  };
  entries.sort((a, b) => order(a, b) || compareNames(a.name, b.name) || (a.rep < b.rep ? -1 : 1));
  entries.forEach((entry, index) => {
    const above = entries[index - 1];
    entry.rank = standing(entry) === null ? null : above && order(above, entry) === 0 ? above.rank : index + 1;
  });
  tellApart(entries);
  return entries;
}

/** People of one name are told apart by their teams; within a team by their ids. */
function tellApart(/** @type {Entry[]} */ entries) {
  const names = counts(entries.map((entry) => entry.name));
  const members = counts(entries.map(memberOf));
  for (const entry of entries) {
    if (!entry.name || Number(names.get(entry.name)) < 2) continue;
    entry.apart = entry.team === null || Number(members.get(memberOf(entry))) > 1 ? "rep" : "team";
  }
}

function memberOf(/** @type {Entry} */ entry) {
  return JSON.stringify([entry.name, entry.team]);
}

function counts(/** @type {string[]} */ keys) {
  const found = new Map();
  for (const key of keys) found.set(key, (found.get(key) || 0) + 1);
  return found;
}

/**
 * The part of `total` rows that is shown now: no row on two pages, at most twelve on one, all pages about equally full.
 * Turned by the clock, so that several screens turn together. The page with the leader comes back every second turn:
 * who is ahead is what a board is looked at for.
 * @param {number} total
 * @param {number} capacity rows for which there is room
 * @param {number} now
 */
export function pageAt(total, capacity, now) {
  const count = Math.max(1, Math.ceil(total / Math.max(1, Math.min(capacity, MOST_ROWS))));
  const size = Math.ceil(total / count);
  const turn = Math.floor(now / TURN_MILLISECONDS);
  const index = count === 1 || turn % 2 === 0 ? 0 : 1 + (((turn - 1) / 2) % (count - 1));
  const first = index * size;
  return { count, size, first, last: Math.min(total, first + size) };
}

/**
 * How much of its bar somebody fills, of 1.
 * @param {Value} value
 * @param {Value} best
 * @param {boolean} isLowerBetter
 */
export function barShare(value, best, isLowerBetter) {
  if (value === null || best === null) return 0;
  const [part, whole] = isLowerBetter ? [Number(best), Number(value)] : [Number(value), Number(best)];
  return whole > 0 ? Math.max(0, Math.min(1, part / whole)) : 0;
}
