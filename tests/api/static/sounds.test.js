import assert from "node:assert/strict";
import { test } from "node:test";

import { LOUDEST, Sounds } from "../../../api/static/sounds.js";

const FILES = { deal_won: "/media/big%20gong_1.mp3?screen=floor" };

function made(settings = {}, failure = null) {
  const played = [];
  const sounds = new Sounds({ isOn: true, volume: 0.5, files: FILES, ...settings }, (file) => {
    const play = async () => {
      if (failure) throw failure;
    };
    const player = { file, volume: 1, paused: false, pause: () => { player.paused = true; }, play };
    played.push(player);
    return player;
  });
  return { played, sounds };
}

test("a sound is played no louder than is good for a room", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  for (const [volume, heard] of [[0.5, 0.5 * LOUDEST], [1, LOUDEST], [7, LOUDEST], [-1, 0]]) {
    const { played, sounds } = made({ volume });
    await sounds.play("deal_won");
    assert.equal(played[0].volume, heard);
  }
});

test("it ends after ten seconds, and when the next begins", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { played, sounds } = made();
  await sounds.play("deal_won");
  context.mock.timers.tick(9999);
  assert.equal(played[0].paused, false);
  context.mock.timers.tick(1);
  assert.equal(played[0].paused, true);
  await sounds.play("deal_won");
  await sounds.play("deal_won");
  assert.equal(played[1].paused, true);
});

test("without files, or where sound is off, nothing is heard and nothing is said of it", async () => {
  for (const settings of [{ isOn: false }, { files: {} }]) {
    const { played, sounds } = made(settings);
    await sounds.play("deal_won");
    assert.equal(played.length, 0);
    assert.equal(sounds.caption("deal_won"), "");
  }
  const { played, sounds } = made();
  await sounds.play("milestone");
  assert.equal(played.length, 0);
});

test("a caption names the sound", () => {
  assert.equal(made().sounds.caption("deal_won"), "big gong 1");
});

test("a browser that nobody has touched is unlocked by a touch", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { sounds } = made();
  const heard = new Map();
  const target = { addEventListener: (kind, then) => heard.set(kind, then) };
  sounds.listen(target, { hasBeenActive: false });
  assert.equal(sounds.isLocked, true);
  heard.get("keydown")();
  assert.equal(sounds.isLocked, false);
  sounds.listen(target, { hasBeenActive: true });
  assert.equal(sounds.isLocked, false);

  const refused = made({}, new Error("no")).sounds;
  await refused.play("deal_won");
  assert.equal(refused.isLocked, true);
  refused.unlock();
  await refused.play("deal_won");
  assert.equal(refused.isLocked, false);
});
