import assert from "node:assert/strict";
import test from "node:test";

import { Store } from "../../../api/static/store.js";
import { winWords } from "../../../api/static/wins.js";

const row = { window: { name: "today" }, metrics: {} };

function context() {
  const store = new Store(["today"]);
  const rows = [{ ...row, rep: "r-17", name: "Ana Lim", team: "north" }, { ...row, team: "far_east", name: "far_east" }];
  store.apply("snapshot", { rows, organisation: { name: "Acme", currency: "EUR" } });
  return {
    store,
    catalogue: { label: (metric) => `label of ${metric}` },
    formats: { money: (amount, currency) => [`${currency} ${amount}`], share: (value) => `${value * 100}%` },
    texts: { say: (key, fields) => [key, ...Object.values(fields || {})].join(" ") },
  };
}

const win = (fields) => ({ win: "w", cause: "deal_won", name: null, rep: null, team: null, at: "2026-03-18T09:00:00.000Z", withdrawn: false, ...fields });

test("a deal is named with its amount, a goal by its metric", () => {
  const deal = win({ rep: "r-17", name: "Ana Lim", team: "north", deal_name: "Globex", amount: "12000.00", currency: "EUR" });
  const goal = win({ cause: "milestone", rep: "r-17", name: "Ana Lim", goal: "quota", metric: "calls_made", milestone: 0.5 });

  assert.deepEqual(winWords(deal, context()), { who: "Ana Lim", what: "Globex", named: "Globex", amount: "EUR 12000.00" });
  const half = "win.milestone label of calls_made 50%";
  assert.deepEqual(winWords(goal, context()), { who: "Ana Lim", what: half, named: half, amount: "" });
});

test("below a heading that says the cause it is not said again", () => {
  const reached = { cause: "goal_reached", goal: "quota", metric: "calls_made" };

  assert.equal(winWords(win({ deal_name: null }), context()).named, "");
  assert.equal(winWords(win(reached), context()).named, "label of calls_made");
});

test("who is not a person is named for people, and whom the screen does not name is not named", () => {
  const whose = (fields) => winWords(win(fields), context()).who;

  assert.equal(whose({ rep: "p-1", name: null }), "");
  assert.equal(whose({ rep: "r-17", name: null }), "");
  assert.equal(whose({ team: "far_east", name: "far_east" }), "Far east");
  assert.equal(whose({ name: "Acme Sales" }), "Acme Sales");
  assert.equal(whose({}), "Acme");
});
