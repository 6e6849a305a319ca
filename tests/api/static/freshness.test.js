import assert from "node:assert/strict";
import test from "node:test";

import { boardState, closedSince, connections, isNew, verification } from "../../../api/static/freshness.js";

const NOW = Date.parse("2026-03-18T12:00:00Z");
const ago = (seconds) => new Date(NOW - seconds * 1000).toISOString();
const heard = (...seconds) => ({
  connections: seconds.map((age, index) => ({ connection: `c${index}`, last_delivery_at: age === null ? null : ago(age) })),
  end_to_end_seconds: { p95: 0.1 }, behind_seconds: 0,
});
const open = { isOpen: true, lostFor: 0, silence: 1000 };

for (const [what, link, freshness, state] of [
  ["everything known is shown", open, heard(3), "live"],
  ["before anything is known of the age", open, null, "live"],
  ["nothing has ever been delivered", open, heard(null, null), "new"],
  ["no connection is configured", open, heard(), "new"],
  ["one of two has never delivered", open, heard(null, 3), "live"],
  ["one of two is silent", open, heard(7200, 3), "live"],
  ["all have been silent for six minutes", open, heard(360, 400), "delayed"],
  ["all have been silent for an hour", open, heard(3600, null), "stale"],
  ["processing is nine seconds behind", open, { ...heard(3), behind_seconds: 9 }, "delayed"],
  ["processing is a minute behind", open, { ...heard(3), behind_seconds: 75 }, "stale"],
  ["what was a minute late is through by now", open, { ...heard(3), end_to_end_seconds: { p95: 65 } }, "live"],
  ["the connection blinks", { isOpen: false, lostFor: 2000, silence: 2000 }, heard(3), "delayed"],
  ["the api has gone", { isOpen: false, lostFor: 4500, silence: 4500 }, heard(3), "disconnected"],
  ["the connection is half open", { isOpen: true, lostFor: 0, silence: 8600 }, heard(3), "disconnected"],
]) {
  test(`${what}: ${state}`, () => assert.equal(boardState(link, freshness, NOW), state));
}

const calendars = (...closed) => closed.map((since, index) => ({ calendar: `k${index}`, is_open: since === null, since, until: null }));
const HALF_PAST = ago(1800);

for (const [what, link, freshness, state] of [
  ["nobody works, and all connections are silent", open, { ...heard(3600), calendars: calendars(HALF_PAST, HALF_PAST) }, "closed"],
  ["nobody works, and all are silent for six minutes", open, { ...heard(360), calendars: calendars(HALF_PAST, HALF_PAST) }, "closed"],
  ["nobody works, and something is delivered all the same", open, { ...heard(3), calendars: calendars(HALF_PAST, HALF_PAST) }, "live"],
  ["some of them work", open, { ...heard(3600), calendars: calendars(HALF_PAST, null) }, "stale"],
  ["nobody works, and processing stands still", open, { ...heard(3600), behind_seconds: 75, calendars: calendars(HALF_PAST, HALF_PAST) }, "stale"],
  ["nobody works, and the api has gone", { ...open, lostFor: 4500 }, { ...heard(3600), calendars: calendars(HALF_PAST, HALF_PAST) }, "disconnected"],
  ["nobody works, and nothing was ever delivered", open, { ...heard(null), calendars: calendars(HALF_PAST, HALF_PAST) }, "new"],
]) {
  test(`${what}: ${state}`, () => assert.equal(boardState(link, freshness, NOW, ["k0", "k1"]), state));
}

test("a floor is closed since the last of its calendars is, by those alone by which it works", () => {
  const freshness = { calendars: calendars(ago(7200), HALF_PAST, null) };

  assert.equal(closedSince(freshness, ["k0", "k1"]), Date.parse(HALF_PAST));
  assert.equal(closedSince(freshness, ["k0", "k2"]), null);
  assert.equal(closedSince(freshness, []), null);
  assert.equal(closedSince(null, ["k0"]), null);
});

test("from the last sign of life to the word takes less than ten seconds", () => {
  // Once a second it is looked at.
  const found = Array.from({ length: 20 }, (_, second) => boardState({ isOpen: true, lostFor: 0, silence: second * 1000 }, null, NOW));

  assert.ok(found.indexOf("disconnected") < 10);
  // One message of five seconds may be late.
  assert.ok(found.indexOf("disconnected") > 7);
});

test("the worst connection comes first; one that has never delivered is no failure", () => {
  const found = connections({ connections: [
    { connection: "forms", last_delivery_at: null }, { connection: "crm", last_delivery_at: ago(1) }, { connection: "dialer", last_delivery_at: ago(720) },
  ] }, NOW);

  assert.deepEqual(found.map(({ name, state, age }) => [name, state, age]), [["dialer", "delayed", 720_000], ["crm", "live", 1000], ["forms", "new", null]]);
});

test("an installation is new until the first delivery", () => {
  assert.equal(isNew(heard(null, null)), true);
  assert.equal(isNew(heard(null, 3)), false);
  assert.equal(isNew(null), false);
});

test("a recount is right, wrong, or too old to say", () => {
  const of = (differences, stale) => verification({ verification: { verified_at: ago(60), differences, stale } });
  assert.deepEqual([of(0, false), of(1, false), of(0, true), of(2, true)].map(({ state }) => state), ["right", "wrong", "stale", "wrong"]);
  assert.equal(verification({ verification: null }), null);
  assert.equal(verification({ verification: { verified_at: null, differences: 0, stale: true } }), null);
});
