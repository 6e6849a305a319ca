// A goal as tiles show it: how much of it there is, and whether that is as much as by now it should be. Pure.

import { NOTHING } from "./format.js";

/** @typedef {import("./store.js").Goal} Goal */
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
