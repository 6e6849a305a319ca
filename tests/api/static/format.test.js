import assert from "node:assert/strict";
import test from "node:test";

import { compareDecimals, Formats, NOTHING } from "../../../api/static/format.js";

const english = new Formats("en-US", "Asia/Kuala_Lumpur");

for (const [value, unit, written] of [
  [1284, "count", "1,284"],
  [0, "count", "0"],
  [0.99996, "ratio", "99.9%"],
  [0.0002, "ratio", "< 0.1%"],
  [1, "ratio", "100%"],
  [0.0512, "ratio", "5.1%"],
  [0.3123, "ratio", "31%"],
  [23.46, "days", "23.5d"],
  [59, "seconds", "59s"],
  [192, "seconds", "3m 12s"],
  [7500, "seconds", "2h 05m"],
  [93_600, "seconds", "1d 2h"],
  ["48.50", "money", "$48.50"],
  ["0", "money", "$0"],
  ["-1250.00", "money", "-$1,250"],
  ["184250.00", "money", "$184,250"],
]) {
  test(`${value} ${unit} is written ${written}`, () => {
    assert.equal(english.value(value, unit, "USD"), written);
  });
}

for (const [value, unit, ...written] of [
  ["165000.00", "money", "$165,000", "$165K"],
  ["1654321.00", "money", "$1,654,321"],
  ["1654321.50", "money", "$1,654,321.50"],
  ["1250000.00", "money", "$1,250,000", "$1.25M"],
  ["900.00", "money", "$900"],
  [1654321, "count", "1,654,321"],
  [1500, "count", "1,500", "1.5K"],
  [1234, "count", "1,234"],
  [12.25, "count", "12.25"],
  ["137.777778", "count", "137.78"],
  ["0.333333", "count", "0.333333"],
  [0.725, "ratio", "72.5%"],
  [0.9999, "ratio", "99.99%"],
  [2.25, "days", "2.25d"],
  [93_645, "seconds", "1d 2h 45s"],
  [19_230, "seconds", "5h 20m 30s"],
  [0, "seconds", "0s"],
]) {
  test(`${value} ${unit} that was set is written ${written.join(" or ")}`, () => {
    assert.deepEqual(english.exactly(value, unit, "USD"), written);
  });
}

test("what is not known is a dash, and a percentile without a value shows its bound", () => {
  assert.equal(english.value(null, "count"), NOTHING);
  assert.equal(english.value(undefined, "money", "EUR"), NOTHING);
  assert.equal(english.value(null, "seconds", undefined, 300), "> 5m 00s");
});

test("money has shorter forms for narrow places, each shorter than the one before", () => {
  const forms = english.values("123456789.50", "money", "USD");
  assert.deepEqual(forms, ["$123,456,790", "$123.5M", "$120M"]);
});

test("a currency that nobody knows is a number", () => {
  assert.equal(english.value("1234.00", "money", "no currency"), "1,234");
});

test("a running clock and an elapsed time are written the same way", () => {
  assert.equal(english.duration(3124), "52m 04s");
  assert.equal(english.duration(11_100), "3h 05m");
  assert.equal(english.age(3_124_000), "52m");
  assert.equal(english.age(42_000), "42s");
  assert.equal(english.latency(0.118), "0.12s");
  assert.equal(english.latency(75), "1m 15s");
});

test("instants are those of the organisation; an unknown zone is that of the screen", () => {
  const at = Date.parse("2026-03-18T20:41:30.344Z");
  assert.equal(english.time(at), "04:41");
  assert.equal(english.time(at, true), "04:41:30");
  assert.equal(english.date(at), "Thursday, March 19");
  assert.match(new Formats("en-US", "No/Where").time(at), /^\d\d:\d\d$/);
});

test("what is written for a screen has the digits of its language", () => {
  assert.equal(new Formats("fa").ownDigits("Kick-off at 16:00"), "Kick-off at ۱۶:۰۰");
  assert.equal(new Formats("de").ownDigits("Um 16:00"), "Um 16:00");
});

test("each language writes numbers, money, durations and dates as it does", () => {
  const german = new Formats("de", "Europe/Berlin");
  assert.equal(german.value(1284.5, "count"), "1.284,5");
  assert.equal(german.value("184250", "money", "EUR").replace(/\s/g, " "), "184.250 €");
  const persian = new Formats("fa", "Asia/Tehran");
  const written = [
    persian.value(1284, "count"), persian.value(0.42, "ratio"), persian.duration(7500), persian.duration(59),
    persian.time(Date.parse("2026-03-20T20:41:30Z"), true), persian.date(Date.parse("2026-03-21T12:00:00Z")), persian.count(12),
  ];
  for (const text of written) assert.doesNotMatch(text, /[0-9]/);
  // Nouruz: the first of Farvardin.
  assert.match(persian.date(Date.parse("2026-03-21T12:00:00Z")), /فروردین/);
});

for (const [left, right, order] of [
  ["90071992547409.93", "90071992547409.92", 1],
  ["9.00", "10.00", -1],
  ["-2", "-10", 1],
  ["-0.00", "0", 0],
  [1e-7, 0, 1],
  [0.5, "0.50", 0],
  ["007", 7.5, -1],
]) {
  test(`${left} against ${right}`, () => {
    assert.equal(Math.sign(compareDecimals(left, right)), order);
    assert.equal(Math.sign(compareDecimals(right, left)), 0 - order);
  });
}
