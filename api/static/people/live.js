// Keeps an open page up to date: the stream says that something has changed, the api draws it. Without this module the
// page is as it was when it was loaded.

const SLOWEST = 30000;
const AWAY_AFTER = 4000;
const RETRY = 3000;
const NEWS = ["snapshot", "metrics", "lead", "alert", "win"];

/**
 * @typedef {object} Platform
 * @property {(address: string) => EventSource} open
 * @property {(address: string, options: RequestInit) => Promise<Response>} fetch
 */

export class LivePage {
  /**
   * @param {Document} page
   * @param {Platform} platform
   */
  constructor(page, platform) {
    this.page = page;
    this.platform = platform;
    this.main = /** @type {HTMLElement} */ (page.getElementById("main"));
    this.every = Number(this.main.dataset.every);
    this.asOf = /** @type {HTMLElement} */ (page.getElementById("as-of"));
    this.said = this.asOf.textContent;
    this.askedAt = -Infinity;
    this.isAsking = false;
    this.isLate = false;
    this.timer = 0;
    this.patience = 0;
  }

  start() {
    // On a phone the windows are moved aside: the one that is shown is in sight.
    this.page.querySelector(".windows [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
    const address = this.main.dataset.stream;
    if (!address) return;
    this.listen(address);
    // A clock that runs, a window that moves on: also where nothing happens.
    window.setInterval(() => this.noteNews(), SLOWEST);
    this.page.addEventListener("visibilitychange", () => this.noteNews());
  }

  /** Something has changed: ask, but not more often than the page says. */
  noteNews() {
    if (this.timer || this.page.hidden) return;
    const pause = Math.max(0, this.askedAt + this.every - Date.now());
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      this.ask();
    }, pause);
  }

  async ask() {
    if (this.isAsking) {
      // What has changed since may not be in the answer.
      this.isLate = true;
      return;
    }
    this.isAsking = true;
    this.askedAt = Date.now();
    try {
      const answer = await this.platform.fetch(location.href, { headers: { accept: "text/html" }, credentials: "same-origin" });
      if (answer.status === 401 || answer.status === 403) location.reload();
      if (answer.ok) this.show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch (error) {
      // The stream notices it as well, and says so.
    } finally {
      this.isAsking = false;
      if (this.isLate) this.noteNews();
      this.isLate = false;
    }
  }

  /** Takes over what differs, and leaves alone what somebody is using at the moment. */
  show(/** @type {Document} */ fresh) {
    const focused = this.page.activeElement;
    const made = fresh.getElementById("main");
    if (made && partsOf(fresh) !== partsOf(this.page) && !this.main.contains(focused)) {
      // Something has come or gone: the first win of the day, the last limit that was crossed.
      this.main.textContent = "";
      this.main.append(...Array.from(made.childNodes));
    }
    for (const part of Array.from(this.page.querySelectorAll("[data-live]"))) {
      const other = fresh.getElementById(part.id);
      if (!other || other.isEqualNode(part) || (focused && isUsed(part, focused))) continue;
      const places = scrolled(part);
      part.className = other.className;
      part.textContent = "";
      part.append(...Array.from(other.childNodes));
      scrollBack(part, places);
    }
    this.asOf.dataset.lost = (fresh.getElementById("as-of") || this.asOf).dataset.lost;
  }

  found() {
    window.clearTimeout(this.patience);
    this.patience = 0;
    if (this.page.documentElement.dataset.lostNow === "true") {
      this.page.documentElement.dataset.lostNow = "false";
      this.asOf.classList.remove("lost");
      this.asOf.textContent = this.said;
      this.noteNews();
    }
  }

  /**
   * @param {string} address
   * @param {EventSource} stream
   */
  missed(address, stream) {
    if (!this.patience) this.patience = window.setTimeout(() => this.say(), AWAY_AFTER);
    if (stream.readyState === EventSource.CLOSED) {
      // Refused, or the server is not ready: the page itself says which.
      this.ask();
      window.setTimeout(() => this.listen(address), RETRY);
    }
  }

  listen(/** @type {string} */ address) {
    const stream = this.platform.open(address);
    for (const kind of NEWS) stream.addEventListener(kind, () => this.noteNews());
    stream.addEventListener("open", () => this.found());
    stream.addEventListener("error", () => this.missed(address, stream));
  }

  /** The last numbers stay, and say as of when they are. */
  say() {
    this.page.documentElement.dataset.lostNow = "true";
    this.asOf.classList.add("lost");
    this.said = this.asOf.textContent;
    this.asOf.textContent = this.asOf.dataset.lost || "";
  }
}

/** The names of the parts that a page has. */
function partsOf(/** @type {Document} */ page) {
  return Array.from(page.querySelectorAll("main [data-live]"), (part) => part.id).join();
}

/** Whether somebody types or chooses in this part. */
function isUsed(/** @type {Element} */ part, /** @type {Element} */ focused) {
  return part.contains(focused) && focused !== part;
}

/** How far tables of a part have been scrolled aside. */
function scrolled(/** @type {Element} */ part) {
  return Array.from(part.querySelectorAll(".scroll"), (each) => each.scrollLeft);
}

function scrollBack(/** @type {Element} */ part, /** @type {number[]} */ places) {
  part.querySelectorAll(".scroll").forEach((each, index) => {
    each.scrollLeft = places[index] || 0;
  });
}

new LivePage(document, { open: (address) => new EventSource(address), fetch: (...asked) => fetch(...asked) }).start();
