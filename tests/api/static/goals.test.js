// How a goal is shown where there is no share to show.

import assert from "node:assert/strict";
import test from "node:test";

import { NOTHING } from "../../../api/static/format.js";
import { expectedShare, goalPercent, goalShare } from "../../../api/static/goals.js";

const formats = /** @type {any} */ ({ share: (/** @type {number} */ share) => share * 100 + " %" });

/** @returns {import("../../../api/static/goals.js").Goal} */
function goal(/** @type {object} */ more) {
  return { target: "100", attainment: 0.5, expected: "40", state: "ahead", ...more };
}

test("a goal shows its attainment, its bar as far as it goes, and where it should be", () => {
  assert.equal(goalPercent(goal({}), formats), "50 %");
  assert.equal(goalShare(goal({})), 0.5);
  assert.equal(goalShare(goal({ attainment: 1.4, state: "reached" })), 1);
  assert.equal(expectedShare(goal({})), 0.4);
});

test("nothing lost of at most four is reached, though there is no share of it", () => {
  const kept = goal({ attainment: null, expected: null, state: "reached" });

  assert.equal(goalPercent(kept, formats), NOTHING);
  assert.equal(goalShare(kept), 1);
  assert.equal(expectedShare(kept), null);
});

test("what is not known fills no bar", () => {
  assert.equal(goalShare(goal({ attainment: null, state: null })), 0);
});
