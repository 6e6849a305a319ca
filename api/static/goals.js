// A goal as tiles show it: how much of it there is, and whether that is as much as by now it should be. Pure.

import { NOTHING } from "./format.js";

/** @typedef {import("./store.js").Goal} Goal */
/** @typedef {import("./store.js").Value} Value */
/** @typedef {import("./texts.js").TextKey} TextKey */

/** @type {Record<string, TextKey>} */
const WORDS = {
  reached: "goal.reached", ahead: "goal.ahead", on_track: "goal.on_track", behind: "goal.behind", missed: "goal.missed",
};
/** Every state has its own outline, so that colour is never the only sign. @type {Record<string, string>} */
export const GOAL_SIGNS = { reached: "done", ahead: "ahead", on_track: "live", behind: "behind", missed: "refused" };

/**
 * @param {Goal} goal
 * @param {import("./texts.js").Texts} texts
 */
export function goalWord(goal, texts) {
  return texts.say((goal.state && WORDS[goal.state]) || WORDS.on_track);
}

/**
 * The attainment in per cent; a dash where there is none: none lost, of at most four.
 *
 * @param {Goal} goal
 * @param {import("./format.js").Formats} formats
 */
export function goalPercent(goal, formats) {
  return goal.attainment === null ? NOTHING : formats.share(goal.attainment);
}

// Of all together, where the teams' goals do not say one word: as the bands of a goal are if nothing else is said.
const BEHIND = 0.9;
const AHEAD = 1.05;

/**
 * What several teams have to reach together; null: one of them has no goal, or one that cannot be added up.
 * @param {{ value: import("./store.js").Value, goal: Goal | null }[]} parts
 * @returns {Goal | null}
 */
export function goalOfAll(parts) {
  /** @type {Goal[]} */
  const goals = [];
  for (const { value, goal } of parts) {
    if (goal === null || goal.attainment === null || !goal.state) return null;
    // Where less is better, it is not the value's part of the target.
    if (Math.abs(goal.attainment - Number(value) / Number(goal.target)) > 0.001) return null;
    goals.push(goal);
  }
  const sum = (/** @type {(Value | undefined)[]} */ values) => values.reduce((/** @type {number} */ all, value) => all + Number(value), 0);
  const [actual, target] = [sum(parts.map(({ value }) => value)), sum(goals.map((goal) => goal.target))];
  if (!(target > 0)) return null;
  const isSpread = goals.every((goal) => goal.expected !== null && goal.expected !== undefined);
  const expected = isSpread ? sum(goals.map((goal) => goal.expected)) : null;
  return { target, expected, attainment: actual / target, state: stateOf(goals, actual, target, expected) };
}

/**
 * @param {Goal[]} goals of the teams
 * @param {number} actual
 * @param {number} target
 * @param {number | null} expected
 * @returns {Goal["state"]}
 */
function stateOf(goals, actual, target, expected) {
  if (actual >= target) return "reached";
  const states = new Set(goals.map((goal) => goal.state));
  states.delete("reached");
  if (states.size === 1) return goals.map((goal) => goal.state).filter((state) => state !== "reached")[0];
  if (expected === null) return "behind";
  const pace = expected > 0 ? actual / expected : 1;
  return pace >= AHEAD ? "ahead" : pace < BEHIND ? "behind" : "on_track";
}

/** How far it is, of 1. */
export function goalShare(/** @type {Goal} */ goal) {
  if (goal.attainment === null && goal.state === "reached") return 1;
  return Math.max(0, Math.min(1, goal.attainment || 0));
}

/** How far it should be by now, of 1; null: nobody can say. */
export function expectedShare(/** @type {Goal} */ goal) {
  const target = Number(goal.target);
  if (goal.expected === null || goal.expected === undefined || !(target > 0)) return null;
  return Math.max(0, Math.min(1, Number(goal.expected) / target));
}
