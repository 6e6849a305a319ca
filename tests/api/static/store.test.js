import assert from "node:assert/strict";
import test from "node:test";

import { Store } from "../../../api/static/store.js";

const row = (metrics, key = {}, window = "today", bounds = {}) => ({ ...key, window: { name: window }, metrics, bounds });
const lead = (id, state = "waiting", fields = {}) => ({
  lead: id, state, started_at: "2026-03-18T09:00:00.000Z", due_at: "2026-03-18T10:00:00.000Z", ...fields,
});
const alert = (id, level, fields = {}) => ({
  id, level, lead: `l-${id}`, due_at: "2026-03-18T09:00:00.000Z", raised_at: "2026-03-18T09:00:00.000Z", resolved_at: null,
  ...fields,
});
const NOW = Date.parse("2026-03-18T09:30:00Z");

test("values of several windows lie side by side; windows that nobody asked for are left alone", () => {
  const store = new Store(["today", "month"]);
  store.apply("snapshot", { rows: [row({ calls_made: 3 }), row({ calls_made: 90 }, {}, "month"), row({ calls_made: 1 }, {}, "1h")] });

  store.apply("metrics", { rows: [row({ calls_made: 91 }, {}, "month")] });

  assert.equal(store.organisationRow("today").metrics.calls_made, 3);
  assert.equal(store.organisationRow("month").metrics.calls_made, 91);
  assert.equal(store.organisationRow("1h"), null);
});

test("a change merges into what is known, and takes the bound of its metric along", () => {
  const store = new Store(["today"]);
  store.apply("snapshot", { rows: [row({ p50: null, calls_made: 1 }, {}, "today", { p50: 300 })] });

  store.apply("metrics", { rows: [row({ p50: 240 })] });

  const { metrics, bounds } = store.organisationRow("today");
  assert.deepEqual([metrics, bounds], [{ p50: 240, calls_made: 1 }, {}]);
});

test("whose a row is: a rep's, a team's, the organisation's", () => {
  const store = new Store(["today"]);
  const ana = { rep: "r-1", name: "Ana Lim", team: "north" };
  store.apply("snapshot", { rows: [row({}), row({}, { team: "north", name: "The North" }), row({}, { team: "far_east", name: "far_east" }), row({}, ana)] });

  assert.deepEqual(store.repRows("today").map(({ rep }) => rep), ["r-1"]);
  assert.deepEqual(store.teamRows("today").map(({ team }) => team), ["north", "far_east"]);
  assert.equal(store.personName("r-1", undefined), "Ana Lim");
  assert.equal(store.personName("r-1", "Ana L."), "Ana L.");
  assert.equal(store.personName("r-9", undefined), "r-9");
  // Privacy: an id is no name.
  assert.equal(store.personName("p-3f", null), "");
  assert.equal(store.teamName("north"), "The North");
});

test("a team that nobody has named is its id in a form for people", () => {
  const store = new Store(["today"]);
  store.apply("snapshot", { rows: [row({}, { team: "far_east", name: "far_east" })] });

  assert.equal(store.teamName("far_east"), "Far east");
  assert.equal(store.teamName("south"), "South");
  assert.equal(store.teamName(null), "");
});

test("a snapshot replaces everything, a lead that is answered leaves", () => {
  const store = new Store(["today"]);
  store.apply("snapshot", { rows: [row({}, { rep: "r-1" })], leads: [lead("l-1"), lead("l-2")], alerts: [alert("a", "breach")] });
  store.apply("lead", { lead: "l-1", state: "answered" });
  assert.deepEqual(store.waitingLeads().map((one) => one.lead), ["l-2"]);

  store.apply("snapshot", { rows: [row({}, { rep: "r-2" })] });

  assert.deepEqual([store.waitingLeads(), store.graveAlerts(NOW)], [[], []]);
  assert.deepEqual(store.repRows("today").map(({ rep }) => rep), ["r-2"]);
});

test("of a lead only its gravest alert is shown, the gravest and oldest first", () => {
  const store = new Store(["today"]);
  const older = { due_at: "2026-03-18T08:00:00.000Z" };
  store.apply("snapshot", {
    alerts: [alert("w", "warn"), alert("b", "breach", { lead: "l" }), alert("e", "escalate", { lead: "l" }), alert("o", "breach", older)],
  });
  assert.deepEqual(store.graveAlerts(NOW).map(({ id }) => id), ["e", "o"]);

  store.apply("alert", alert("e", "escalate", { lead: "l", resolved_at: "2026-03-18T09:10:00.000Z" }));

  assert.deepEqual(store.graveAlerts(NOW).map(({ id }) => id), ["o", "b"]);
});

test("a milestone is news for an hour, a limit as long as it is crossed", () => {
  const store = new Store(["today"]);
  const old = { metric: "revenue_won", lead: null, raised_at: "2026-03-18T08:00:00.000Z" };
  store.apply("snapshot", {
    alerts: [alert("reached", "warn", { ...old, comparison: "reaches" }), alert("below", "warn", { ...old, comparison: "below" })],
  });

  assert.deepEqual(store.graveAlerts(NOW).map(({ id }) => id), ["below"]);
});

test("wins are kept by their cause, the last twenty of them, and go when they are taken back", () => {
  const store = new Store(["today"]);
  const win = (number, withdrawn = false) => ({ win: `deal_won:d-${number}`, cause: "deal_won", at: "", withdrawn });
  store.apply("snapshot", { wins: [win(2), win(1)] });
  for (let number = 3; number <= 22; number += 1) store.apply("win", win(number));
  store.apply("win", win(22, true));

  assert.deepEqual(Array.from(store.wins.keys()), Array.from({ length: 19 }, (_, index) => `deal_won:d-${index + 3}`));
});

test("nothing has happened on a floor of zeros", () => {
  const store = new Store(["today"]);
  store.apply("snapshot", { rows: [row({ calls_made: 0, revenue_won: "0.00", win_rate: null, reps_active: 3 })] });
  assert.equal(store.hasNumbers(["calls_made", "revenue_won"]), false);

  store.apply("metrics", { rows: [row({ revenue_won: "0.50" })] });

  assert.equal(store.hasNumbers(["calls_made", "revenue_won"]), true);
});

test("the cleared store has no number left, and takes the next snapshot for the first", () => {
  const store = new Store(["today"]);
  store.apply("snapshot", { rows: [row({ calls_made: 3 })], leads: [lead("l-1")] });

  store.clear();

  assert.deepEqual([store.hasSnapshot, store.rowsOf("today"), store.waitingLeads()], [false, [], []]);
  assert.equal(store.apply("snapshot", { rows: [] }).isFirst, true);
});

test("a picture says what was taken back: nobody lists it any more, and boards have heard of it", () => {
  const store = new Store(["today"]);
  const won = { win: "deal_won:d-1:2026-03-18T09:00:00.000Z", cause: "deal_won", withdrawn: true };

  const changed = store.apply("snapshot", { rows: [], taken_back: [won] });

  assert.deepEqual(changed.wins, [{ id: won.win, before: null, after: null, said: won }]);
  assert.ok(store.withdrawn.has(won.win));
  assert.equal(store.wins.size, 0);
});
