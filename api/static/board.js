// A wallboard: connects the stream to the store and the store to the tiles. Any number of them can be made, shown and
// destroyed. What is shown is decided in tiles/, how it is written in format.js, when it is old in freshness.js.

import { apiAddress, CATALOGUE, mainWindow, metricsOf, streamAddress, windowsOf } from "./address.js";
import { Celebrations } from "./celebrations.js";
import { Catalogue } from "./catalogue.js";
import { add, nothing } from "./differences.js";
import { element, isPhone, setData, setText } from "./dom.js";
import { Formats } from "./format.js";
import { boardState, connections, isNew } from "./freshness.js";
import { beginningMessage, Notice, troubleMessage } from "./notice.js";
import { breachScene, Rotation } from "./rotation.js";
import { isAmong, momentAt } from "./schedule.js";
import { Sounds } from "./sounds.js";
import { mountTile, Stage } from "./stage.js";
import { Store } from "./store.js";
import { Stream } from "./stream.js";
import { languageOf, localeOf, Texts } from "./texts.js";
import { Celebration } from "./tiles/celebration.js";
import { stateAt } from "./tiles/leads.js";
import { isLasting, troubleOf, unknownMetrics } from "./trouble.js";

/** @typedef {import("./tiles/index.js").Tile} Tile */
/** @typedef {import("./address.js").Scene} Scene */

// The screen shows a change at once, and what comes meanwhile a blink later. One that is slow to draw rests as long as it
// has drawn, but not so long that somebody would see it.
const SHORTEST_PAUSE = 30;
const LONGEST_PAUSE = 120;
const CATALOGUE_PAUSE = 30000;
const BEAT_PAUSE = 10000;
const IDENTITY_SHOWN = 15000;
const RELOAD_PAUSE = 60000;
const SHIFT_PAUSE = 180000;
// Few pixels, in a round that comes back: nothing burns in, nothing is seen to move.
const SHIFTS = [[0, 0], [2, 1], [4, 2], [3, 4], [1, 3], [-1, 4], [-3, 2], [-4, 0], [-2, -2], [0, -4], [2, -3], [4, -1]];
// Around every scene, in this order of reading.
const MASTHEAD = ["title", "strip", "status"];
const FOOTER = "foot";

export class Board {
  /**
   * @param {HTMLElement} root
   * @param {import("./address.js").ScreenSettings} settings
   * @param {import("./stream.js").Platform} platform
   * @param {{ language: string, locales: readonly string[] }} speech
   */
  constructor(root, settings, platform, speech) {
    this.root = root;
    this.settings = settings;
    this.platform = platform;
    const language = languageOf(speech.language);
    const locale = localeOf(language.LANGUAGE, speech.locales);
    root.lang = language.LANGUAGE;
    root.dir = language.DIRECTION;
    this.store = new Store(windowsOf(settings));
    this.stillness = window.matchMedia("(prefers-reduced-motion: reduce)");
    const texts = new Texts(language, locale);
    const catalogue = new Catalogue((name) => texts.metric(name));
    /** @type {import("./tiles/index.js").Context} */
    this.context = {
      settings, store: this.store, catalogue, formats: new Formats(locale), texts,
      state: "connecting", now: platform.now(), clock: platform.now(), asOf: platform.now(), isCalm: this.isCalm,
      scene: settings.scenes[0], window: mainWindow(settings.scenes[0]),
      ask: (path, query) => this.ask(path, query),
    };
    this.celebrations = new Celebrations(settings.celebrates, memoryOf(settings.screen));
    this.celebration = new Celebration(this.context);
    this.sounds = new Sounds(settings.sound);
    this.locked = element("p", "sound-locked");
    this.rotation = new Rotation(settings.scenes, settings.rotate);
    this.stage = new Stage(this.context);
    this.breachScene = breachScene(settings.scenes);
    this.stream = new Stream(
      streamAddress(settings), platform, (kind, data, at) => this.receive(kind, data, at), () => this.drawSoon(),
    );
    this.notice = new Notice();
    /** @type {Tile[]} */
    this.chrome = [];
    this.changed = nothing();
    this.skew = 0;
    /** @type {string | null} */
    this.firstBuild = null;
    this.drawTimer = 0;
    this.tickTimer = 0;
    this.drawnAt = 0;
    this.drawingTook = 0;
    this.catalogueAskedAt = 0;
    this.beatAt = -BEAT_PAUSE;
    this.onResize = () => this.drawSoon();
  }

  /** Puts the board into its element and opens the stream. */
  start() {
    const masthead = element("header", "masthead");
    const footer = element("footer", "foot");
    setData(this.root, "part", this.settings.isOnePart ? "tile" : "screen");
    this.root.append(masthead, this.notice.node, this.stage.node, footer, this.locked, this.celebration.node);
    this.sounds.listen(window, navigator.userActivation);
    for (const kind of MASTHEAD) this.chrome.push(mountTile(masthead, { kind }, this.context));
    this.chrome.push(mountTile(footer, { kind: FOOTER }, this.context));
    this.stage.show(this.rotation.scene);
    window.addEventListener("resize", this.onResize);
    this.stream.open();
    this.draw();
    this.tick();
  }

  /** Ends all that goes on, and leaves the element empty. */
  destroy() {
    clearTimeout(this.drawTimer);
    clearTimeout(this.tickTimer);
    window.removeEventListener("resize", this.onResize);
    this.stream.close();
    this.sounds.stop();
    for (const tile of this.chrome) tile.destroy();
    this.stage.destroy();
    this.chrome = [];
    this.root.textContent = "";
  }

  get isCalm() {
    return this.settings.isCalm || this.stillness.matches;
  }

  /**
   * An answer of the api to this screen; null: there is none now.
   * @param {string} path
   * @param {Record<string, string | number | undefined>} [query]
   * @returns {Promise<any>}
   */
  async ask(path, query) {
    try {
      const answer = await this.platform.fetch(apiAddress(this.settings, path, query), { credentials: "same-origin" });
      const said = answer.ok ? await answer.json() : null;
      this.drawSoon();
      return said;
    } catch (error) {
      return null;
    }
  }

  /**
   * Takes an event of the stream.
   * @param {string} kind
   * @param {any} data
   * @param {number} receivedAt
   */
  receive(kind, data, receivedAt) {
    if (kind === "screen") {
      this.obey(data);
      return;
    }
    const served = Date.parse(data.server_time);
    if ((kind === "snapshot" || kind === "freshness") && !Number.isNaN(served)) this.skew = served - receivedAt;
    add(this.changed, this.store.apply(kind, data));
    const { freshness } = this.store;
    // What the server knows by now may lack what was delivered a while ago.
    this.context.asOf = receivedAt + this.skew - 1000 * ((freshness && freshness.behind_seconds) || 0);
    if (kind === "snapshot") {
      this.context.formats.timezone = this.store.organisation.timezone;
      this.askCatalogue();
      this.reloadIfRebuilt(data.build);
    }
    this.drawSoon();
  }

  /**
   * Does what somebody wants of this screen.
   * @param {{ identify?: boolean, device?: string, name?: string | null, reload?: boolean, scene?: string | null }} command
   */
  obey(command) {
    if (command.reload) window.location.reload();
    // Who sends it a scene wants to see that, not its name any longer.
    for (const node of Array.from(this.root.querySelectorAll(".identity"))) node.remove();
    if (command.scene && this.rotation.jump(command.scene)) this.drawSoon();
    if (!command.identify) return;
    const name = element("p", "name name-text", command.name || this.settings.screen);
    const node = element("div", "identity", name, element("p", "device", command.device || ""));
    this.root.append(node);
    window.setTimeout(() => node.remove(), IDENTITY_SHOWN);
  }

  /** Says what this screen is and shows; only one that was paired has anybody who wants to know. */
  async beat(/** @type {number} */ now) {
    if (!this.root.dataset.device || Math.abs(now - this.beatAt) < BEAT_PAUSE) return;
    this.beatAt = now;
    const said = { build: this.firstBuild || "", scene: this.context.scene.name, size: window.innerWidth + "x" + window.innerHeight };
    try {
      await this.platform.fetch(apiAddress(this.settings, "/v1/screens/heartbeat"), {
        method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(said), credentials: "same-origin",
      });
    } catch (error) {
      // The next one comes in a moment.
    }
  }

  /** A new build is served: take it. */
  reloadIfRebuilt(/** @type {string | undefined} */ build) {
    if (!build) return;
    if (this.firstBuild === null) this.firstBuild = build;
    if (build !== this.firstBuild) this.reload();
  }

  /** The page that is served now. At most once a minute, in case two servers answer in turn of which one knows more. */
  reload() {
    // The window's name outlives a reload, also on televisions that allow no storage.
    if (Math.abs(this.platform.now() - Number(window.name)) < RELOAD_PAUSE) return;
    window.name = String(this.platform.now());
    window.location.reload();
  }

  /** What metrics are called and counted in. With each snapshot anew: a server that was started again may know others. */
  async askCatalogue() {
    const now = this.platform.now();
    if (now - this.catalogueAskedAt < CATALOGUE_PAUSE) return;
    this.catalogueAskedAt = now;
    const answer = await this.ask(CATALOGUE);
    if (answer === null) return; // The shipped names and units do until the next try.
    this.context.catalogue.load(answer);
    this.drawSoon();
  }

  drawSoon() {
    if (this.drawTimer) return;
    const pause = Math.min(LONGEST_PAUSE, Math.max(SHORTEST_PAUSE, this.drawingTook));
    this.drawTimer = window.setTimeout(() => this.draw(), Math.max(0, this.drawnAt + pause - performance.now()));
  }

  draw() {
    clearTimeout(this.drawTimer);
    this.drawTimer = 0;
    const began = performance.now();
    this.judge();
    const changed = this.changed;
    this.changed = nothing();
    this.celebrate(changed);
    this.turn();
    // A tile that fails must not take the others with it: the screen hangs there for weeks.
    for (const tile of [...this.chrome, ...this.stage.tiles]) {
      try {
        tile.update(changed);
      } catch (error) {
        console.error(error);
      }
    }
    this.drawnAt = performance.now();
    this.drawingTook = this.drawnAt - began;
  }

  /** What time it is, whether the numbers can be believed, and what has to be said about them. */
  judge() {
    const { context, settings, store, stream } = this;
    // The server's clock: those of televisions are often minutes off.
    const now = this.platform.now() + this.skew;
    const state = boardState(stream.link(), store.freshness, now, settings.calendars);
    const refused = stream.isAnswered && stream.refusal ? troubleOf(stream.refusal, settings) : null;
    if (isLasting(refused) && store.hasSnapshot) store.clear();
    // Without a key that counts it is the page that pairs a screen: nobody has to come with a keyboard.
    if (refused && refused.kind === "key") this.reload();
    if (isLasting(refused)) context.state = "refused";
    else context.state = store.hasSnapshot || state === "disconnected" ? state : "connecting";
    context.clock = now;
    if (stream.isOpen && state !== "disconnected") context.now = now;
    context.isCalm = this.isCalm;
    setData(this.root, "state", context.state);
    this.showNotice(refused);
  }

  /** What was won since the last time. A celebration interrupts; calm screens have none. */
  celebrate(/** @type {import("./differences.js").Differences} */ changed) {
    const { celebrations, context, settings, store } = this;
    const begun = celebrations.note(changed, context.clock);
    const isOn = celebrations.isOn(context.clock) && !context.isCalm;
    this.celebration.show(isOn ? celebrations.wins : []);
    const isQuiet = isAmong(settings.sound.quiet, momentAt(context.clock, store.organisation.timezone));
    if (isOn && begun.length && !isQuiet) {
      this.celebration.caption(this.sounds.caption(begun[0].cause));
      this.sounds.play(begun[0].cause);
    } else if (!isOn) this.sounds.stop();
    const isLocked = this.sounds.isLocked && !context.isCalm;
    setText(this.locked, isLocked ? context.texts.say("sound.locked") : "");
  }

  /**
   * The scene for now. A breach brings the waiting leads to the screen, until somebody has answered; a scene that somebody
   * has sent has its turn all the same.
   */
  turn() {
    const { breachScene: leads, context, rotation, settings, store } = this;
    const moment = momentAt(context.clock, store.organisation.timezone);
    const isBreach = leads !== null && context.state !== "disconnected"
      && store.waitingLeads().some((lead) => stateAt(lead, context.now) === "breached");
    const isHeld = (isBreach && !rotation.isSent) || this.celebrations.isOn(context.clock);
    context.scene = rotation.sceneAt(context.clock, moment, isHeld);
    if (isBreach && !rotation.isSent && context.scene !== leads) {
      rotation.turnTo(settings.scenes.indexOf(leads));
      context.scene = leads;
    }
    context.window = mainWindow(context.scene);
    this.stage.show(context.scene);
    setData(this.root, "blank", String(isAmong(settings.blank, moment)));
  }

  showNotice(/** @type {import("./trouble.js").Trouble | null} */ refused) {
    const { context, settings, store } = this;
    const { catalogue, state, texts } = context;
    let message = null;
    let isAll = !store.hasSnapshot;
    if (refused && isAll) message = troubleMessage(refused, texts);
    else if (!store.hasSnapshot && state === "disconnected") message = troubleMessage(troubleOf(null, settings), texts);
    else if (store.hasSnapshot) {
      const unknown = unknownMetrics(settings, catalogue);
      if (unknown) message = troubleMessage(unknown, texts);
      else if (isNew(store.freshness) && !store.hasNumbers(metricsOf(settings))) {
        isAll = true;
        const names = connections(store.freshness, context.now).map((connection) => connection.name);
        message = beginningMessage(names, window.location.origin, texts);
      }
    }
    this.notice.show(message);
    setData(this.root, "notice", message === null ? "none" : isAll ? "all" : "strip");
  }

  /** Once in every second of the server's clock, shortly after it began. */
  tick() {
    const now = this.platform.now() + this.skew;
    this.tickTimer = window.setTimeout(() => this.tick(), 1010 - (((now % 1000) + 1000) % 1000));
    this.stream.watch();
    this.beat(this.platform.now());
    if (this.store.hasSnapshot && !this.context.catalogue.isLoaded) this.askCatalogue();
    this.draw();
    this.shift();
  }

  shift() {
    const [x, y] = SHIFTS[Math.floor(this.platform.now() / SHIFT_PAUSE) % SHIFTS.length];
    // A phone does not hang there for weeks, and a page that scrolls must not grow by a pixel.
    this.root.style.transform = isPhone() ? "" : "translate(" + x + "px, " + y + "px)";
  }
}

/** What a screen remembers over reloads, on televisions that allow it. @returns {import("./celebrations.js").Memory} */
function memoryOf(/** @type {string} */ screen) {
  const name = "floorcast.celebrated." + screen;
  return {
    load: () => {
      try {
        return window.localStorage.getItem(name);
      } catch (error) {
        return null;
      }
    },
    save: (text) => {
      try {
        window.localStorage.setItem(name, text);
      } catch (error) {
        // Until the next reload it is remembered all the same.
      }
    },
  };
}
