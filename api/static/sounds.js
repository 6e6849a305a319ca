// What is heard with a celebration: files of the server, never louder than is good for a room, and nothing at all until
// somebody has touched the screen once, as browsers want it. Calm screens and quiet hours are the caller's business.

/** Of a sound at full volume: a floor full of people is not to be startled. */
export const LOUDEST = 0.8;
const LONGEST = 10000;
const GESTURES = ["pointerdown", "keydown"];

/** @typedef {{ isOn: boolean, volume: number, files: Record<string, string> }} SoundSettings */
/** @typedef {Pick<HTMLMediaElement, "play" | "pause" | "volume">} Player */

export class Sounds {
  /**
   * @param {SoundSettings} settings
   * @param {(file: string) => Player} open
   */
  constructor(settings, open = (file) => new Audio(file)) {
    this.settings = settings;
    this.open = open;
    /** Whether the browser wants somebody to touch the screen first. */
    this.isLocked = false;
    /** @type {Player | null} */
    this.playing = null;
    this.isTouched = false;
    this.unlock = () => {
      this.isTouched = true;
      this.isLocked = false;
    };
  }

  /** Looks whether the browser lets this page be heard, and waits for a touch if it does not. */
  listen(/** @type {Pick<Window, "addEventListener">} */ target, /** @type {{ hasBeenActive: boolean } | undefined} */ activation) {
    if (!this.isUsed) return;
    this.isLocked = activation !== undefined && !activation.hasBeenActive;
    for (const gesture of GESTURES) target.addEventListener(gesture, this.unlock, { passive: true });
  }

  get isUsed() {
    return this.settings.isOn && Object.keys(this.settings.files).length > 0;
  }

  /** What the sound of a cause is called, for who cannot hear it; empty: there is none. */
  caption(/** @type {string} */ cause) {
    const file = this.isUsed ? this.settings.files[cause] : undefined;
    if (!file) return "";
    const name = decodeURIComponent(file.split("?")[0].split("/").pop() || "");
    return name.replace(/\.[^.]*$/, "").replace(/[_-]+/g, " ");
  }

  /** Plays the sound of a cause, where there is one; the screen goes on whatever becomes of it. */
  async play(/** @type {string} */ cause) {
    const file = this.isUsed ? this.settings.files[cause] : undefined;
    if (!file) return;
    if (this.playing) this.playing.pause();
    const player = this.open(file);
    this.playing = player;
    player.volume = Math.min(1, Math.max(0, this.settings.volume)) * LOUDEST;
    setTimeout(() => player.pause(), LONGEST);
    try {
      await player.play();
      this.isLocked = false;
    } catch (error) {
      // The browser wants a touch first; after one it is the file that cannot be played.
      this.isLocked = !this.isTouched;
    }
  }

  stop() {
    if (this.playing) this.playing.pause();
    this.playing = null;
  }
}
