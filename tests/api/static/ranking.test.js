import assert from "node:assert/strict";
import test from "node:test";

import { barShare, pageAt, rank } from "../../../api/static/ranking.js";

const rep = (id, name, metrics, team = "north") => ({ rep: id, name, team, metrics, bounds: {} });
const ranked = (rows, metric = "calls_made", isLowerBetter = false) =>
  rank(rows, metric, isLowerBetter, (one, other) => one.localeCompare(other, "en"));

test("equal values share a rank and the next rank is skipped; who has no value comes last without one", () => {
  const rows = [
    rep("4", "Di", { calls_made: 5 }), rep("5", "Eve", {}), rep("3", "Cy", { calls_made: 7 }), rep("2", "Ben", { calls_made: 7 }),
    rep("1", "Ana", { calls_made: 9 }), rep("6", "Flo", { calls_made: null }),
  ];

  assert.deepEqual(ranked(rows).map((entry) => [entry.rank, entry.name]), [
    [1, "Ana"], [2, "Ben"], [2, "Cy"], [4, "Di"], [null, "Eve"], [null, "Flo"],
  ]);
});

test("where less is better the smallest leads; money ranks to the cent", () => {
  const seconds = [rep("1", "Ana", { p50: 90 }), rep("2", "Ben", { p50: 60 }), rep("3", "Cy", { p50: null })];
  assert.deepEqual(ranked(seconds, "p50", true).map(({ name }) => name), ["Ben", "Ana", "Cy"]);

  const money = [rep("1", "Ana", { revenue_won: "90071992547409.92" }), rep("2", "Ben", { revenue_won: "90071992547409.93" })];
  assert.deepEqual(ranked(money, "revenue_won").map((entry) => [entry.rank, entry.name]), [[1, "Ben"], [2, "Ana"]]);
});

test("people of one name are told apart by team, in one team by id; who has no name is told apart by nothing", () => {
  const entries = ranked([rep("1", "Ana", {}), rep("2", "Ana", {}), rep("3", "Ana", {}, "south"), rep("4", "Ben", {})]);

  assert.deepEqual(entries.map((entry) => [entry.rep, entry.apart]), [["1", "rep"], ["2", "rep"], ["3", "team"], ["4", ""]]);
  assert.deepEqual(ranked([rep("p-1", null, {}), rep("p-2", null, {})]).map(({ name, apart }) => [name, apart]), [["", ""], ["", ""]]);
});

test("pages have each row once, at most twelve, and no page is nearly empty", () => {
  for (let total = 1; total <= 130; total += 1) {
    for (const capacity of [1, 3, 7, 12, 30, Infinity]) {
      const pages = new Map();
      for (let turn = 0; turn < 300; turn += 1) {
        const page = pageAt(total, capacity, turn * 10_000);
        pages.set(page.first, page);
        assert.ok(page.size <= Math.min(12, capacity) && page.last > page.first);
      }
      const spans = Array.from(pages.values()).sort((one, other) => one.first - other.first);
      assert.equal(spans[0].first, 0);
      assert.equal(spans[spans.length - 1].last, total);
      for (let at = 1; at < spans.length; at += 1) assert.equal(spans[at].first, spans[at - 1].last);
      assert.equal(spans.length, spans[0].count);
    }
  }
});

test("the page with the leader comes back every second turn", () => {
  const firsts = Array.from({ length: 8 }, (_, turn) => pageAt(40, 12, turn * 10_000).first);

  assert.deepEqual(firsts, [0, 10, 0, 20, 0, 30, 0, 10]);
});

test("a bar is the share of the best, whichever way is better", () => {
  assert.equal(barShare(5, 10, false), 0.5);
  assert.equal(barShare(120, 60, true), 0.5);
  assert.equal(barShare("-5", 10, false), 0);
  assert.equal(barShare(null, 10, false), 0);
  assert.equal(barShare(0, 0, false), 0);
});
