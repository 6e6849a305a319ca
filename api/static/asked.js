// What a tile asks the api for by itself: again and again, as long as it is shown. The last answer stays.

export class Asked {
  /**
   * @param {() => Promise<any>} ask null: there is no answer now
   * @param {number} pause milliseconds between two answers
   * @param {(answer: any) => void} take
   */
  constructor(ask, pause, take) {
    this.ask = ask;
    this.pause = pause;
    this.take = take;
    this.askedAt = -Infinity;
    this.isOver = false;
  }

  /** Called with each update of the tile, by the clock of the page. */
  async look(/** @type {number} */ now) {
    if (Math.abs(now - this.askedAt) < this.pause) return;
    this.askedAt = now;
    const answer = await this.ask();
    // An answer that comes when the tile has gone is nobody's.
    if (answer !== null && !this.isOver) this.take(answer);
  }

  end() {
    this.isOver = true;
  }
}
