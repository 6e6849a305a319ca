import assert from "node:assert/strict";
import test from "node:test";

import { add, nothing } from "../../../api/static/differences.js";
import { Store } from "../../../api/static/store.js";

const row = (metrics, key = {}, window = "today") => ({ ...key, window: { name: window }, metrics, bounds: {} });
const lead = (id, state, fields = {}) => ({
  lead: id, state, started_at: "2026-03-18T09:00:00.000Z", due_at: "2026-03-18T10:00:00.000Z", ...fields,
});
const win = (id, withdrawn = false) => ({ win: id, cause: "deal_won", at: "2026-03-18T09:00:00.000Z", withdrawn });

function floor() {
  const store = new Store(["today", "month"]);
  const first = store.apply("snapshot", {
    rows: [row({ deals_won: 1, revenue_won: "10.00" }), row({ deals_won: 1 }, { rep: "r-1" }), row({ deals_won: 9 }, {}, "month")],
    leads: [lead("l-1", "waiting")], alerts: [], wins: [win("a")],
  });
  return { store, first };
}

test("the first picture is all new, and says so: nothing has happened yet", () => {
  const { first } = floor();

  assert.equal(first.isFirst, true);
  assert.deepEqual(first.wins.map(({ id, before }) => [id, before]), [["a", null]]);
  assert.equal(first.values.length, 4);
});

test("an event names each value that is another one now, and no other", () => {
  const { store } = floor();

  const changed = store.apply("metrics", { rows: [row({ deals_won: 2, revenue_won: "10.00" }), row({ deals_won: 10 }, {}, "month")] });

  assert.equal(changed.isFirst, false);
  assert.deepEqual(changed.values, [
    { window: "today", scope: "organisation", metric: "deals_won", before: 1, after: 2 },
    { window: "month", scope: "organisation", metric: "deals_won", before: 9, after: 10 },
  ]);
});

test("a snapshot after a gap names what has happened meanwhile", () => {
  const { store } = floor();

  const changed = store.apply("snapshot", {
    rows: [row({ deals_won: 3, revenue_won: "10.00" }), row({ deals_won: 9 }, {}, "month")],
    leads: [lead("l-2", "waiting")], alerts: [], wins: [win("b"), win("a")],
  });

  assert.equal(changed.isFirst, false);
  assert.deepEqual(changed.values, [
    { window: "today", scope: "organisation", metric: "deals_won", before: 1, after: 3 },
    { window: "today", scope: "rep:r-1", metric: "deals_won", before: 1, after: null },
  ]);
  assert.deepEqual(changed.leads.map(({ id, after }) => [id, after !== null]), [["l-1", false], ["l-2", true]]);
  assert.deepEqual(changed.wins.map(({ id }) => id), ["b"]);
});

test("a win comes once, and is taken back once", () => {
  const { store } = floor();
  assert.deepEqual(store.apply("win", win("b")).wins.map(({ before, after }) => [before, after && after.win]), [[null, "b"]]);

  const changed = store.apply("win", win("b", true));

  assert.deepEqual(changed.wins.map(({ before, after }) => [before && before.win, after]), [["b", null]]);
});

test("a lead that is answered says who it was, one that turns breached what it was before", () => {
  const { store } = floor();
  const turned = store.apply("lead", lead("l-1", "breached", { rep: "r-1" })).leads[0];
  const answered = store.apply("lead", { lead: "l-1", state: "answered" }).leads[0];

  assert.deepEqual([turned.before.state, turned.after.state], ["waiting", "breached"]);
  assert.deepEqual([answered.before.rep, answered.after], ["r-1", null]);
});

test("what waits to be drawn adds up, in order", () => {
  const { store, first } = floor();
  const waiting = nothing();
  add(waiting, first);
  add(waiting, store.apply("metrics", { rows: [row({ deals_won: 2 })] }));
  add(waiting, store.apply("metrics", { rows: [row({ deals_won: 1 })] }));

  assert.equal(waiting.isFirst, true);
  assert.deepEqual(waiting.values.slice(-2).map(({ before, after }) => [before, after]), [[1, 2], [2, 1]]);
});
