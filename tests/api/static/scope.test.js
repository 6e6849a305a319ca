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
