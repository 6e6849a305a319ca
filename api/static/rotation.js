// Which scene is shown: one after the other among those whose time it is, unless one is pinned or sent. Pure.

import { holds } from "./schedule.js";

/** @typedef {import("./address.js").Scene} Scene */
/** @typedef {import("./schedule.js").Moment} Moment */

export class Rotation {
  /**
   * @param {Scene[]} scenes
   * @param {number} turn milliseconds that each is shown
   */
  constructor(scenes, turn) {
    this.scenes = scenes;
    this.turn = turn;
    this.index = 0;
    /** What the scene that is shown has had of its turn. */
    this.spent = 0;
    /** Whether somebody has sent the board there: it stays for a turn, whether it is its time or not. */
    this.isSent = false;
    /** @type {number | null} */
    this.lookedAt = null;
  }

  get scene() {
    return this.scenes[this.index];
  }

  /**
   * The scene for now. Time counts for its turn only while it goes on: a celebration, or a breach that pins a scene, takes
   * nothing of it.
   * @param {number} now
   * @param {Moment} moment
   * @param {boolean} isHeld
   * @returns {Scene}
   */
  sceneAt(now, moment, isHeld) {
    const passed = this.lookedAt === null ? 0 : Math.max(0, now - this.lookedAt);
    this.lookedAt = now;
    if (isHeld) return this.scene;
    const due = this.scenes.map((scene) => holds(scene.when, moment));
    // Where it is the time of none, the first one does.
    if (!due.includes(true)) due[0] = true;
    this.spent += passed;
    if (this.spent >= this.turn || !(due[this.index] || this.isSent)) this.turnTo(this.next(due));
    return this.scene;
  }

  next(/** @type {boolean[]} */ due) {
    const count = due.length;
    for (let step = 1; step <= count; step += 1) {
      const index = (this.index + step) % count;
      if (due[index]) return index;
    }
    return this.index;
  }

  turnTo(/** @type {number} */ index) {
    this.index = index;
    this.spent = 0;
    this.isSent = false;
  }

  /** Goes on with the scene of this name; false: there is none. */
  jump(/** @type {string} */ name) {
    const index = this.scenes.findIndex((scene) => scene.name === name);
    if (index < 0) return false;
    this.turnTo(index);
    this.isSent = true;
    return true;
  }
}

/** The first scene that shows waiting leads: it stays while one of them has waited too long. */
export function breachScene(/** @type {Scene[]} */ scenes) {
  return scenes.find((scene) => scene.tiles.some((tile) => tile.kind === "leads")) || null;
}
