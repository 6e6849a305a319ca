import assert from "node:assert/strict";
import test from "node:test";

import { dateAt, holds, isAmong, momentAt } from "../../../api/static/schedule.js";

const at = (text) => momentAt(Date.parse(text), "Asia/Kuala_Lumpur");
const when = (fields) => ({ weekdays: null, days: null, hours: null, ...fields });

test("a moment is what the organisation's clock and calendar show", () => {
  assert.deepEqual(at("2026-02-27T16:30:00Z"), { weekday: 5, day: 28, lastDay: 28, minute: 30 });
  assert.equal(dateAt(Date.parse("2026-02-28T16:30:00Z"), "Asia/Kuala_Lumpur"), "2026-03-01");
});

for (const [name, rule, text, expected] of [
  ["a weekday", { weekdays: [0, 1, 2, 3, 4] }, "2026-03-18T04:00:00Z", true],
  ["another weekday", { weekdays: [5, 6] }, "2026-03-18T04:00:00Z", false],
  ["the last days", { days: [[-5, -1]] }, "2026-02-24T04:00:00Z", true],
  ["the day before them", { days: [[-5, -1]] }, "2026-02-23T04:00:00Z", false],
  ["the first days", { days: [[1, 5]] }, "2026-03-05T04:00:00Z", true],
  ["an hour", { hours: [[480, 720]] }, "2026-03-18T00:00:00Z", true],
  ["its end", { hours: [[480, 720]] }, "2026-03-18T04:00:00Z", false],
  ["a night", { hours: [[1080, 480]] }, "2026-03-18T23:59:00Z", true],
  ["all of several", { hours: [[480, 720]], weekdays: [5] }, "2026-03-18T01:00:00Z", false],
]) {
  test(`when: ${name}`, () => assert.equal(holds(when(rule), at(text)), expected));
}

test("hours and days that are dark: any of them", () => {
  const times = { hours: [[1200, 420]], weekdays: [5, 6] };
  assert.deepEqual(
    ["2026-03-18T13:00:00Z", "2026-03-18T04:00:00Z", "2026-03-21T04:00:00Z"].map((text) => isAmong(times, at(text))),
    [true, false, true],
  );
});

test("a zone that nobody knows is the screen's own", () => {
  assert.equal(momentAt(0, "Nowhere/At_All").lastDay, new Date(1970, new Date(0).getMonth() + 1, 0).getDate());
});
