// The kinds of tiles that a screen can hold: one file and one line each.

import { AlertList } from "./alerts.js";
import { Figures } from "./figures.js";
import { Foot } from "./foot.js";
import { Freshness } from "./freshness.js";
import { Funnel } from "./funnel.js";
import { Leaderboard } from "./leaderboard.js";
import { Leads } from "./leads.js";
import { Message } from "./message.js";
import { Race } from "./race.js";
import { Status } from "./status.js";
import { Strip } from "./strip.js";
import { Thermometer } from "./thermometer.js";
import { Title } from "./title.js";
import { Trend } from "./trend.js";
import { Wins } from "./wins.js";

/** @typedef {import("../address.js").TileSettings} TileSettings */
/** @typedef {(path: string, query?: Record<string, string | number | undefined>) => Promise<any>} Ask */

/**
 * What all tiles of a board look at. It stays the same object as long as the board lives.
 * @typedef {object} Context
 * @property {import("../address.js").ScreenSettings} settings
 * @property {import("../store.js").Store} store
 * @property {import("../catalogue.js").Catalogue} catalogue
 * @property {import("../format.js").Formats} formats
 * @property {import("../texts.js").Texts} texts
 * @property {import("../freshness.js").State | "connecting" | "refused"} state
 * @property {number} now by the server's clock, in milliseconds; stands still while nothing is heard of the server
 * @property {number} clock the time of day, which goes on all the same
 * @property {number} asOf when the numbers were last heard of
 * @property {boolean} isCalm whether nothing may move
 * @property {import("../address.js").Scene} scene that is shown
 * @property {string} window by which that scene goes
 * @property {Ask} ask the api; null: there is no answer now
 */

/**
 * `mount` once, with the element that is the tile's; `update` whenever values have changed, and each second, with what
 * has changed since the last time; `destroy` once, after which nothing of the tile goes on.
 * @typedef {object} Tile
 * @property {(root: HTMLElement) => void} mount
 * @property {(changed: import("../differences.js").Differences) => void} update
 * @property {() => void} destroy
 */

/** @type {Record<string, new (settings: TileSettings, context: Context) => Tile>} */
export const TILES = {
  alerts: AlertList,
  figures: Figures,
  foot: Foot,
  freshness: Freshness,
  funnel: Funnel,
  leaderboard: Leaderboard,
  leads: Leads,
  message: Message,
  race: Race,
  status: Status,
  strip: Strip,
  thermometer: Thermometer,
  title: Title,
  trend: Trend,
  wins: Wins,
};
