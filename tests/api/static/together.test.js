import assert from "node:assert/strict";
import test from "node:test";

import { pointsTogether, stepsTogether } from "../../../api/static/together.js";

const step = (name, entered, advanced, lost, conversion) =>
  ({ step: name, label: name, entered, advanced, lost, open: entered - advanced - lost, conversion });

test("the funnels of several teams are one, with its own conversion and its own worst step", () => {
  const north = { steps: [step("demo", 8, 6, 1, 0.75), step("offer", 6, 1, 5, 1 / 6), step("won", 1, 1, 0, null)], worst: null };
  const south = { steps: [step("demo", 40, 4, 36, 0.1), step("offer", 4, 0, 4, 0), step("won", 0, 0, 0, null)], worst: "demo" };

  const both = stepsTogether([north, south]);

  assert.deepEqual(both.steps.map(({ entered, advanced, lost, open }) => [entered, advanced, lost, open]),
    [[48, 10, 37, 1], [10, 1, 9, 0], [1, 1, 0, 0]]);
  assert.deepEqual(both.steps.map(({ conversion }) => conversion), [10 / 48, 0.1, null]);
  // At the offer more are lost, but of too few.
  assert.equal(both.worst, "demo");
  assert.equal(stepsTogether([north]), north);
});

test("a funnel is not shown by half, and has no numbers where one of the teams has none", () => {
  const known = { steps: [step("demo", 8, 6, 1, 0.75)], worst: null };
  const unkept = { steps: [{ ...step("demo", 0, 0, 0, null), entered: null }], worst: null };

  assert.equal(stepsTogether([known, null]), null);
  assert.equal(stepsTogether([known, unkept]).steps[0].entered, null);
  assert.equal(stepsTogether([known, unkept]).worst, null);
});

test("days are added up where a sum is right", () => {
  const north = { points: [{ from: "a", value: "10.50" }, { from: "b", value: null }] };
  const south = { points: [{ from: "a", value: "1.25" }, { from: "b", value: "3.00" }] };

  assert.deepEqual(pointsTogether([north, south], true), [{ from: "a", value: 11.75 }, { from: "b", value: null }]);
  assert.deepEqual(pointsTogether([north, south], false).map(({ value }) => value), [null, null]);
  assert.equal(pointsTogether([north], false), north.points);
  assert.equal(pointsTogether([north, null], true), null);
});
