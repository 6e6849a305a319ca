import assert from "node:assert/strict";
import test from "node:test";

import { scopeOf, teamsShown } from "../../../api/static/scope.js";
import { Store } from "../../../api/static/store.js";

const row = (metrics, key = {}) => ({ ...key, window: { name: "today" }, metrics, bounds: {} });
const isAdditive = (metric) => metric === "calls_made";

function storeOf(...rows) {
  const store = new Store(["today"]);
  store.apply("snapshot", { rows, organisation: { currency: "EUR" } });
  return store;
}

test("without teams it is the organisation, with one that team", () => {
  const store = storeOf(row({ calls_made: 9 }), row({ calls_made: 4 }, { team: "north" }));

  assert.equal(scopeOf(store, [], "today", isAdditive).value("calls_made"), 9);
  assert.equal(scopeOf(store, ["north"], "today", isAdditive).value("calls_made"), 4);
  assert.equal(scopeOf(store, ["north"], "today", isAdditive).value("win_rate"), null);
});

test("a key that is limited to a team shows that team, though nobody has asked for it", () => {
  const store = storeOf(row({ calls_made: 4, win_rate: 0.5 }, { team: "north" }));

  const scope = scopeOf(store, [], "today", isAdditive);

  assert.deepEqual(teamsShown(store, [], "today"), ["north"]);
  assert.deepEqual([scope.value("calls_made"), scope.value("win_rate"), scope.keys], [4, 0.5, ["team:north"]]);
});

test("several teams are a sum where a sum is right, and nothing where it is not", () => {
  const store = storeOf(
    row({ calls_made: 4, win_rate: 0.5 }, { team: "north" }), row({ calls_made: 6, win_rate: 0.7 }, { team: "south" }),
  );

  const scope = scopeOf(store, ["north", "south", "unknown"], "today", isAdditive);

  assert.deepEqual([scope.value("calls_made"), scope.value("win_rate"), scope.currency], [10, null, "EUR"]);
});

const goal = (target, attainment, state, expected) => ({ target, attainment, state, expected });

test("several teams have the sum of their goals, if all of them have one", () => {
  const north = row({ calls_made: 40 }, { team: "north" });
  const south = row({ calls_made: "60" }, { team: "south" });
  const goals = (target, attainment, state, expected) => ({ goals: { calls_made: goal(target, attainment, state, expected) } });
  const of = (...rows) => scopeOf(storeOf(...rows), ["north", "south"], "today", isAdditive).goal("calls_made");

  const both = of({ ...north, ...goals("80", 0.5, "behind", "50") }, { ...south, ...goals("80", 0.75, "ahead", "50") });
  assert.deepEqual(both, goal(160, 0.625, "on_track", 100));
  assert.equal(of({ ...north, ...goals("30", 1.3333, "reached", "20") }, { ...south, ...goals("80", 0.75, "behind", "70") }).state, "behind");
  assert.equal(of({ ...north, ...goals("30", 1.3333, "reached", "20") }, { ...south, ...goals("70", 0.857, "missed", "70") }).state, "reached");
  assert.equal(of({ ...north, ...goals("30", 1.3333, "reached", "30") }, south), null);
  // Where less is better the target is divided by what is.
  assert.equal(of({ ...north, ...goals("80", 2, "reached", null) }, { ...south, ...goals("80", 1.33, "reached", null) }), null);
});

test("of several teams money is added up as well", () => {
  const store = storeOf(row({ calls_made: "10.50" }, { team: "north" }), row({ calls_made: "20.25" }, { team: "south" }));

  assert.equal(scopeOf(store, ["north", "south"], "today", isAdditive).value("calls_made"), 30.75);
});
