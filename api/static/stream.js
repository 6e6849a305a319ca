// The connection to `/v1/stream`: opening, sequence, silence, reconnection, and why it is refused. What events mean is
// the store's business.

import { SILENCE_LIMIT } from "./freshness.js";

/** @typedef {import("./trouble.js").Refusal} Refusal */

/**
 * What the stream stands on; in a browser its own, in a test whatever the test makes of it.
 * @typedef {object} Platform
 * @property {(url: string) => EventSource} open
 * @property {(url: string, init?: RequestInit) => Promise<Response>} fetch
 * @property {() => number} now
 * @property {() => number} random
 */

const KINDS = ["snapshot", "metrics", "lead", "alert", "win", "freshness", "screen"];
const SHORTEST_PAUSE = 1000;
const LONGEST_PAUSE = 10000;
// After so long a connection is taken for a good one: the next that breaks is tried again at once.
const SETTLED_AFTER = 30000;
// What `readyState` is once the browser has given up (EventSource.CLOSED).
const GIVEN_UP = 2;
// These say what is so at this moment; they have no place in the sequence of changes.
const WHOLE = new Set(["snapshot", "freshness", "screen"]);

export class Stream {
  /**
   * @param {string} url
   * @param {Platform} platform
   * @param {(kind: string, data: any, receivedAt: number) => void} receive gets every event that is new
   * @param {() => void} changed is called when the connection opens, breaks or is refused
   */
  constructor(url, platform, receive, changed) {
    this.url = url;
    this.platform = platform;
    this.receive = receive;
    this.changed = changed;
    /** @type {EventSource | null} */
    this.source = null;
    this.isOpen = false;
    this.openedAt = 0;
    /** @type {number | null} */
    this.lastSign = null;
    /** @type {number | null} */
    this.lostAt = null;
    /** @type {Refusal | null} */
    this.refusal = null;
    this.isAnswered = false;
    this.failures = 0;
    /** @type {number | null} */
    this.reopenAt = null;
    this.forgetSequence();
  }

  forgetSequence() {
    /** @type {string | null} */
    this.instance = null;
    this.number = -1;
  }

  open() {
    const now = this.platform.now();
    this.close();
    this.reopenAt = null;
    if (this.lastSign === null) this.lastSign = now;
    if (this.lostAt === null) this.lostAt = now;
    this.openedAt = now;
    const source = this.platform.open(this.url);
    this.source = source;
    source.onopen = () => this.found();
    source.onerror = () => this.lose(source);
    for (const kind of KINDS) source.addEventListener(kind, (event) => this.take(kind, /** @type {MessageEvent} */ (event)));
  }

  close() {
    if (this.source) this.source.close();
    this.source = null;
    this.isOpen = false;
  }

  found() {
    this.isOpen = true;
    this.lostAt = null;
    this.refusal = null;
    this.isAnswered = true;
    this.changed();
  }

  /** The browser tries again by itself after a broken connection, but gives up for good after an HTTP error. */
  lose(/** @type {EventSource} */ source) {
    this.isOpen = false;
    if (this.lostAt === null) this.lostAt = this.platform.now();
    if (source.readyState === GIVEN_UP) {
      this.reopenLater();
      this.askWhy();
    } else {
      this.refusal = null;
      this.isAnswered = false;
      this.changed();
    }
  }

  /** Called every second. Timers stop while a television sleeps, so silence is measured by the clock. */
  watch() {
    const now = this.platform.now();
    if (this.reopenAt !== null) {
      if (now >= this.reopenAt) this.open();
      return;
    }
    if (this.isOpen && now - this.openedAt > SETTLED_AFTER) this.failures = 0;
    // A connection may be half open for hours: nothing arrives and no error is reported.
    if (now - Math.max(this.lastSign || 0, this.openedAt) > SILENCE_LIMIT) this.reopenLater();
  }

  /** How the connection stands now. @returns {import("./freshness.js").Link} */
  link() {
    const now = this.platform.now();
    return {
      isOpen: this.isOpen,
      lostFor: this.lostAt === null ? 0 : Math.max(0, now - this.lostAt),
      silence: this.lastSign === null ? 0 : Math.max(0, now - this.lastSign),
    };
  }

  reopenLater() {
    const now = this.platform.now();
    this.close();
    this.forgetSequence();
    if (this.lostAt === null) this.lostAt = now;
    const ceiling = Math.min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** this.failures);
    this.failures += 1;
    // Jitter, so that all screens of a floor do not come back in the same instant.
    this.reopenAt = now + ceiling * (0.5 + this.platform.random() / 2);
    this.changed();
  }

  /** An event source does not tell what it was answered; a request of the same does. */
  async askWhy() {
    const controller = new AbortController();
    try {
      const answer = await this.platform.fetch(this.url, {
        headers: { accept: "text/event-stream" }, credentials: "same-origin", cache: "no-store", signal: controller.signal,
      });
      const refusal = answer.ok ? null : await refusalOf(answer);
      if (this.isOpen) return;
      this.refusal = refusal;
      this.isAnswered = true;
    } catch (error) {
      if (this.isOpen) return;
      this.refusal = null;
      this.isAnswered = false;
    } finally {
      // One that is no refusal would go on for ever.
      controller.abort();
    }
    this.changed();
  }

  /**
   * @param {string} kind
   * @param {MessageEvent} event
   */
  take(kind, event) {
    const now = this.platform.now();
    const data = parsed(event.data);
    if (data === null || !this.isInSequence(kind, event.lastEventId)) {
      // What follows would be folded into a picture with a hole: ask for a whole one.
      this.reopenLater();
      return;
    }
    this.isOpen = true;
    this.lostAt = null;
    this.lastSign = now;
    if (!WHOLE.has(kind) && this.isOld(event.lastEventId)) return;
    this.remember(kind, event.lastEventId);
    this.receive(kind, data, now);
  }

  /**
   * Numbers count per instance of the server; those of another one mean nothing before its snapshot.
   * @param {string} kind
   * @param {string} id
   */
  isInSequence(kind, id) {
    const [instance] = splitId(id);
    if (WHOLE.has(kind)) return true;
    return this.instance !== null && instance === this.instance;
  }

  /** Equal numbers are taken: values are whole, and an event without an id shows the id before it. */
  isOld(/** @type {string} */ id) {
    return splitId(id)[1] < this.number;
  }

  /**
   * @param {string} kind
   * @param {string} id
   */
  remember(kind, id) {
    const [instance, number] = splitId(id);
    if (kind === "snapshot") {
      this.instance = instance;
      this.number = number;
    } else if (instance === this.instance) {
      this.number = Math.max(this.number, number);
    }
  }
}

/** @returns {Promise<Refusal>} */
async function refusalOf(/** @type {Response} */ answer) {
  const problem = parsed(await answer.text()) || {};
  return { status: answer.status, field: String(problem.field || ""), detail: String(problem.detail || "") };
}

/** @returns {[string, number]} */
function splitId(/** @type {string} */ id) {
  const at = String(id).lastIndexOf(":");
  return at < 0 ? [String(id), 0] : [id.slice(0, at), Number(id.slice(at + 1)) || 0];
}

/** @returns {any} */
function parsed(/** @type {string} */ text) {
  try {
    const data = JSON.parse(text);
    return data && typeof data === "object" ? data : null;
  } catch (error) {
    return null;
  }
}
