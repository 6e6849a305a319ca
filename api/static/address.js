// What the address of the page asks for, and every address that the board asks in turn: the only place that knows them.

/**
 * A tile of a scene.
 * @typedef {object} TileSettings
 * @property {string} kind a name of tiles/index.js
 * @property {string} window
 * @property {string} [metric]
 * @property {string[]} [metrics]
 */

/** @typedef {{ name: string, tiles: TileSettings[] }} Scene */

/**
 * What a screen shows.
 * @typedef {object} ScreenSettings
 * @property {string} screen its name
 * @property {string} title
 * @property {string[]} teams whose numbers; none: everybody's
 * @property {Scene[]} scenes
 */

const DEFAULT_METRICS = ["calls_made", "conversations", "emails_sent", "meetings_held", "deals_won", "revenue_won"];
const MOST_FIGURES = 6;

/**
 * The settings of the screen at `/board/{screen}?metric=…&metrics=…&window=…&teams=…&title=…`.
 * @param {{ pathname: string, search: string }} location
 * @returns {ScreenSettings}
 */
export function readAddress(location) {
  const query = new URLSearchParams(location.search);
  const window = query.get("window") || "today";
  const metrics = names(query.get("metrics"));
  return {
    screen: decodeURIComponent(location.pathname.split("/").filter(Boolean).pop() || ""),
    title: query.get("title") || "",
    teams: names(query.get("teams")),
    scenes: [
      {
        name: "",
        tiles: [
          { kind: "leaderboard", metric: query.get("metric") || "calls_made", window },
          { kind: "figures", metrics: (metrics.length ? metrics : DEFAULT_METRICS).slice(0, MOST_FIGURES), window },
          { kind: "leads", window },
        ],
      },
    ],
  };
}

function names(/** @type {string | null} */ list) {
  return (list || "").split(",").map((name) => name.trim()).filter((name) => name);
}

/** Every window that a tile of any scene shows, each once. */
export function windowsOf(/** @type {ScreenSettings} */ settings) {
  return Array.from(new Set(settings.scenes.flatMap((scene) => scene.tiles.map((tile) => tile.window))));
}

/** Every metric that is named in the settings, each once. */
export function metricsOf(/** @type {ScreenSettings} */ settings) {
  const tiles = settings.scenes.flatMap((scene) => scene.tiles);
  return Array.from(new Set(tiles.flatMap((tile) => [...(tile.metric ? [tile.metric] : []), ...(tile.metrics || [])])));
}

/**
 * The address of something that the api serves to this screen; it is told which, for each has a key of its own.
 * @param {ScreenSettings} settings
 * @param {string} path
 * @param {Record<string, string>} [query]
 */
function apiAddress(settings, path, query = {}) {
  return path + "?" + new URLSearchParams({ ...query, screen: settings.screen });
}

export function streamAddress(/** @type {ScreenSettings} */ settings) {
  const windows = windowsOf(settings).join(",");
  const teams = settings.teams.join(",");
  return apiAddress(settings, "/v1/stream", teams ? { windows, teams } : { windows });
}

export function catalogueAddress(/** @type {ScreenSettings} */ settings) {
  return apiAddress(settings, "/v1/metrics");
}

/**
 * Where a CRM sends its webhooks, to be told to people.
 * @param {string} origin
 * @param {string} connection
 */
export function webhookAddress(origin, connection) {
  return origin + "/webhooks/" + encodeURIComponent(connection);
}
