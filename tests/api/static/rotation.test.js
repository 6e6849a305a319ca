import assert from "node:assert/strict";
import test from "node:test";

import { breachScene, Rotation } from "../../../api/static/rotation.js";

const MOMENT = { weekday: 2, day: 18, lastDay: 31, minute: 600 };
const scene = (name, when = null, kind = "figures") => ({ name, when, tiles: [{ kind }] });
const onWeekday = (weekday) => ({ weekdays: [weekday], days: null, hours: null });
const names = (rotation, instants, isHeld = () => false) => instants.map((now) => rotation.sceneAt(now, MOMENT, isHeld(now)).name);

test("each scene has its turn, those whose time it is not are passed over", () => {
  const rotation = new Rotation([scene("a"), scene("b", onWeekday(4)), scene("c")], 20);

  assert.deepEqual(names(rotation, [0, 10, 20, 30, 40]), ["a", "a", "c", "c", "a"]);
});

test("where it is the time of none, the first one is shown", () => {
  const rotation = new Rotation([scene("a", onWeekday(4)), scene("b", onWeekday(5))], 20);

  assert.deepEqual(names(rotation, [0, 20, 40]), ["a", "a", "a"]);
});

test("what holds a scene takes nothing of its turn: it goes on where it was", () => {
  const rotation = new Rotation([scene("a"), scene("b")], 20);

  assert.deepEqual(names(rotation, [0, 10, 20, 30, 39, 40], (now) => now > 10 && now <= 30), ["a", "a", "a", "a", "a", "b"]);
});

test("a scene that is sent has a turn, whether it is its time or not", () => {
  const rotation = new Rotation([scene("a"), scene("b", onWeekday(4))], 20);
  names(rotation, [0]);

  assert.equal(rotation.jump("nothing"), false);
  assert.equal(rotation.jump("b"), true);
  assert.deepEqual(names(rotation, [10, 15, 30]), ["b", "b", "a"]);
});

test("a clock that is set back turns nothing", () => {
  const rotation = new Rotation([scene("a"), scene("b")], 20);

  assert.deepEqual(names(rotation, [1000, 500, 510]), ["a", "a", "a"]);
});

test("a breach brings the scene with the waiting leads", () => {
  assert.equal(breachScene([scene("a"), scene("b", null, "leads")]).name, "b");
  assert.equal(breachScene([scene("a")]), null);
});
