// What was won, for a moment larger than all else: each cause once for each screen, causes that come together as one, and
// taken back quietly. Which and how long is decided here; how it looks is decided in tiles/celebration.js.

import { compareDecimals } from "./format.js";

/** @typedef {import("./store.js").Win} Win */
/** @typedef {{ on: string, atLeast: string | null, again: boolean }} Rule what a screen celebrates */
/** @typedef {{ load: () => string | null, save: (text: string) => void }} Memory */

const SHOWN = 8000;
const LONGEST = 20000;
const REMEMBERED = 500;

export class Celebrations {
  /**
   * @param {Rule[]} rules
   * @param {Memory} memory of this screen, over reloads
   */
  constructor(rules, memory) {
    this.rules = rules;
    this.memory = memory;
    /** @type {string[]} */
    this.seen = known(memory.load());
    /** What is celebrated now, the newest last. @type {Win[]} */
    this.wins = [];
    this.since = 0;
    this.until = 0;
  }

  /**
   * Takes in what has changed, and says what has begun to be celebrated with it.
   * @param {import("./differences.js").Differences} changed
   * @param {number} now
   * @returns {Win[]}
   */
  note(changed, now) {
    if (now >= this.until) this.wins = [];
    /** @type {Win[]} */
    const begun = [];
    for (const { id, after, said } of changed.wins) {
      if (after === null) {
        // Whoever has not seen it won, in this browser, has nothing to celebrate when it is won a second time.
        if (said) this.remember(said);
        this.wins = this.wins.filter((win) => win.win !== id);
        continue;
      }
      // What was won before the screen was opened is no news; it is not celebrated later either.
      const isNew = this.remember(after);
      // A correction, often of the instant, comes a moment later and takes the place of what it corrects.
      const place = this.wins.findIndex((win) => causeOf(win) === causeOf(after));
      if (place >= 0) this.wins[place] = after;
      else if (isNew && !changed.isFirst) begun.push(after);
    }
    if (begun.length) {
      if (!this.wins.length) this.since = now;
      this.wins.push(...begun);
      this.until = Math.min(now + SHOWN, this.since + LONGEST);
    } else if (!this.wins.length) this.until = now;
    return begun;
  }

  isOn(/** @type {number} */ now) {
    return this.wins.length > 0 && now < this.until;
  }

  /** Whether it is to be celebrated and has not been. */
  remember(/** @type {Win} */ win) {
    const rule = this.rules.find((each) => each.on === win.cause && isLargeEnough(each, win));
    if (!rule) return false;
    const cause = rule.again ? win.win : causeOf(win);
    if (this.seen.includes(cause)) return false;
    this.seen = [...this.seen, cause].slice(-REMEMBERED);
    this.memory.save(JSON.stringify(this.seen));
    return true;
  }
}

/** A deal that is won a second time is the same deal: its instant, the end of the name with two colons, is another. */
function causeOf(/** @type {Win} */ win) {
  return win.cause === "deal_won" ? win.win.split(":").slice(0, -3).join(":") : win.win;
}

/**
 * @param {Rule} rule
 * @param {Win} win
 */
function isLargeEnough(rule, win) {
  if (rule.atLeast === null) return true;
  return win.amount !== null && win.amount !== undefined && compareDecimals(win.amount, rule.atLeast) >= 0;
}

/** @returns {string[]} */
function known(/** @type {string | null} */ text) {
  try {
    const found = JSON.parse(text || "[]");
    return Array.isArray(found) ? found.map(String) : [];
  } catch (error) {
    return [];
  }
}
