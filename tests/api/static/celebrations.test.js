import assert from "node:assert/strict";
import test from "node:test";

import { Celebrations } from "../../../api/static/celebrations.js";
import { nothing } from "../../../api/static/differences.js";

const rule = (fields = {}) => ({ on: "deal_won", atLeast: null, again: false, ...fields });
const win = (id, fields = {}) => ({ win: `deal_won:${id}:2026-03-18T09:00:00.000Z`, cause: "deal_won", amount: "12000.00", ...fields });
const come = (...wins) => ({ ...nothing(), wins: wins.map((after) => ({ id: after.win, before: null, after })) });
const go = (gone) => ({ ...nothing(), wins: [{ id: gone.win, before: gone, after: null }] });
const memory = () => {
  let text = null;
  return { load: () => text, save: (said) => { text = said; } };
};
const shown = (celebrations) => celebrations.wins.map((each) => each.win.split(":")[1]);

test("a win is celebrated for a while, and once", () => {
  const celebrations = new Celebrations([rule()], memory());

  assert.equal(celebrations.note(come(win("a")), 1000).length, 1);
  assert.deepEqual([celebrations.isOn(1000), celebrations.isOn(8999), celebrations.isOn(9000)], [true, true, false]);
  assert.equal(celebrations.note(come(win("a")), 20000).length, 0);
});

test("what was there when the screen was opened is not celebrated, then or later", () => {
  const celebrations = new Celebrations([rule()], memory());

  celebrations.note({ ...come(win("a")), isFirst: true }, 0);
  celebrations.note(come(win("a")), 1000);

  assert.equal(celebrations.isOn(1000), false);
});

test("it is remembered over a reload", () => {
  const kept = memory();
  new Celebrations([rule()], kept).note(come(win("a")), 0);

  assert.equal(new Celebrations([rule()], kept).note(come(win("a")), 0).length, 0);
});

test("a deal won a second time is the same deal, unless it is to be celebrated again", () => {
  const later = win("a", { win: "deal_won:a:2026-03-19T09:00:00.000Z" });
  for (const [again, count] of [[false, 0], [true, 1]]) {
    const celebrations = new Celebrations([rule({ again })], memory());
    celebrations.note(come(win("a")), 0);
    assert.equal(celebrations.note(come(later), 60000).length, count);
  }
});

test("deals of one namespace are deals of their own", () => {
  const celebrations = new Celebrations([rule()], memory());
  celebrations.note(come(win("hs:a")), 0);
  assert.equal(celebrations.note(come(win("hs:b")), 1000).length, 1);
});

test("a correction takes the place of what is celebrated, and is no celebration of its own", () => {
  for (const again of [false, true]) {
    const celebrations = new Celebrations([rule({ again })], memory());
    celebrations.note(come(win("a"), win("b")), 0);
    const corrected = win("a", { win: "deal_won:a:2026-03-18T08:00:00.000Z", amount: "5.00" });

    assert.deepEqual(celebrations.note(come(corrected), 1000), []);
    celebrations.note(go(win("a")), 1000);
    assert.deepEqual(celebrations.wins.map((each) => each.amount), ["5.00", "12000.00"]);
    assert.equal(celebrations.isOn(8000), false);
  }
});

test("what comes meanwhile joins, and it ends all the same", () => {
  const celebrations = new Celebrations([rule()], memory());
  for (let at = 0; at < 40; at += 1) celebrations.note(come(win(`d${at}`)), at * 500);

  assert.equal(celebrations.wins.length, 40);
  assert.equal(celebrations.isOn(19999), true);
  assert.equal(celebrations.isOn(20000), false);
});

test("what is taken back is gone at once", () => {
  const celebrations = new Celebrations([rule()], memory());
  celebrations.note(come(win("a"), win("b")), 0);
  celebrations.note(go(win("a")), 1000);
  assert.deepEqual(shown(celebrations), ["b"]);

  celebrations.note(go(win("b")), 2000);
  assert.equal(celebrations.isOn(2000), false);
});

test("small deals and other causes are not what the screen celebrates", () => {
  const celebrations = new Celebrations([rule({ atLeast: "10000" })], memory());

  const others = [win("a", { amount: "9999.99" }), win("b", { amount: null }), win("c", { cause: "milestone" }), win("d", { amount: "10000" })];
  assert.deepEqual(celebrations.note(come(...others), 0).map((each) => each.win.split(":")[1]), ["d"]);
});

test("a memory that cannot be read is an empty one", () => {
  const broken = { load: () => "{", save: () => undefined };
  assert.deepEqual(new Celebrations([rule()], broken).seen, []);
});

test("what was taken back before the screen was opened, or that it never saw, is the same deal when it is won again", () => {
  const kept = memory();
  const celebrations = new Celebrations([rule({ atLeast: "1000" })], kept);
  const gone = (id, fields) => ({ ...nothing(), wins: [{ id: win(id).win, before: null, after: null, said: win(id, fields) }] });
  const second = (id) => come({ ...win(id), win: `deal_won:${id}:2026-03-18T10:00:00.000Z` });

  celebrations.note({ ...gone("a"), isFirst: true }, 0);
  celebrations.note(gone("b"), 0);
  // Too small to be celebrated then: now it is the first time.
  celebrations.note(gone("c", { amount: "10.00" }), 0);

  assert.equal(celebrations.note(second("a"), 1000).length, 0);
  assert.equal(celebrations.note(second("b"), 1000).length, 0);
  assert.equal(celebrations.note(second("c"), 1000).length, 1);
});
