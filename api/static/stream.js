// The connection to `/v1/stream`: opening, sequence, silence, reconnection. What events mean is the store's business.

import { SILENCE_LIMIT } from "./freshness.js";

const KINDS = ["snapshot", "metrics", "lead", "alert", "freshness"];
const SHORTEST_PAUSE = 1000;
const LONGEST_PAUSE = 30000;

export class Stream {
  /** `receive(kind, data)` gets every event that is new; `changed()` is called when the connection opens or breaks. */
  constructor(url, receive, changed) {
    this.url = url;
    this.receive = receive;
    this.changed = changed;
    this.source = null;
    this.isOpen = false;
    this.lastSign = null;
    this.failures = 0;
    this.reopenAt = null;
    this.forgetSequence();
  }

  forgetSequence() {
    this.instance = null;
    this.number = -1;
  }

  open(now) {
    this.close();
    this.reopenAt = null;
    if (this.lastSign === null) this.lastSign = now;
    this.openedAt = now;
    const source = new EventSource(this.url);
    this.source = source;
    source.onopen = () => {
      this.isOpen = true;
      this.changed();
    };
    source.onerror = () => {
      this.isOpen = false;
      // The browser tries again by itself after a broken connection, but gives up for good after an HTTP error.
      if (source.readyState === EventSource.CLOSED) this.reopenLater(Date.now());
      this.changed();
    };
    for (const kind of KINDS) source.addEventListener(kind, (event) => this.take(kind, event));
  }

  close() {
    if (this.source) this.source.close();
    this.source = null;
    this.isOpen = false;
  }

  /** Called every second. Timers stop while a television sleeps, so silence is measured by the clock. */
  watch(now) {
    if (this.reopenAt !== null) {
      if (now >= this.reopenAt) this.open(now);
      return;
    }
    if (this.isOpen && now - this.openedAt > LONGEST_PAUSE) this.failures = 0;
    // A connection may be half open for hours: nothing arrives and no error is reported.
    if (now - Math.max(this.lastSign, this.openedAt) > SILENCE_LIMIT) this.reopenLater(now);
  }

  silence(now) {
    return this.lastSign === null ? 0 : Math.max(0, now - this.lastSign);
  }

  reopenLater(now) {
    this.close();
    this.forgetSequence();
    const ceiling = Math.min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** this.failures);
    this.failures += 1;
    // Jitter, so that all screens of a floor do not come back in the same instant.
    this.reopenAt = now + ceiling * (0.5 + Math.random() / 2);
    this.changed();
  }

  take(kind, event) {
    const now = Date.now();
    const data = parsed(event.data);
    if (data === null || !this.isInSequence(kind, event.lastEventId)) {
      // What follows would be folded into a picture with a hole: ask for a whole one.
      this.reopenLater(now);
      return;
    }
    this.isOpen = true;
    this.lastSign = now;
    if (kind !== "freshness" && kind !== "snapshot" && this.isOld(event.lastEventId)) return;
    this.remember(kind, event.lastEventId);
    this.receive(kind, data, now);
  }

  /** Numbers count per instance of the server; those of another one mean nothing before its snapshot. */
  isInSequence(kind, id) {
    const [instance] = splitId(id);
    if (kind === "snapshot" || kind === "freshness") return true;
    return this.instance !== null && instance === this.instance;
  }

  /** Equal numbers are taken: values are whole, and an event without an id shows the id before it. */
  isOld(id) {
    return splitId(id)[1] < this.number;
  }

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

function splitId(id) {
  const at = String(id).lastIndexOf(":");
  return at < 0 ? [String(id), 0] : [id.slice(0, at), Number(id.slice(at + 1)) || 0];
}

function parsed(text) {
  try {
    const data = JSON.parse(text);
    return data && typeof data === "object" ? data : null;
  } catch (error) {
    return null;
  }
}
