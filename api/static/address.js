// What the address of the page asks for, and every address that the board asks in turn: the only place that knows them.

/**
 * A tile of a scene.
 * @typedef {object} TileSettings
 * @property {string} kind a name of tiles/index.js
 * @property {string} [window]
 * @property {string} [metric]
 * @property {string[]} [metrics]
 * @property {string} [team]
 * @property {"value" | "attainment"} [rank]
 * @property {string} [pipeline]
 * @property {number} [limit]
 * @property {string} [text]
 * @property {{ address: string, size: number, path: string }} [qr]
 */

/** @typedef {{ name: string, when: import("./schedule.js").When | null, tiles: TileSettings[] }} Scene */

/**
 * What a screen shows.
 * @typedef {object} ScreenSettings
 * @property {string} screen its name
 * @property {string} title
 * @property {string[]} teams whose numbers; none: everybody's
 * @property {Scene[]} scenes
 * @property {number} rotate milliseconds that a scene is shown
 * @property {boolean} isCalm no celebrations, no motion
 * @property {boolean} isOnePart whether one tile is shown alone
 * @property {boolean} isServed whether the server knows what this screen shows, and not the address of the page
 * @property {string[]} calendars by which those work whom it is for
 * @property {number} minGroup where fewer people are shown, there is no ranking
 * @property {import("./celebrations.js").Rule[]} celebrates
 * @property {{ isOn: boolean, volume: number, quiet: import("./schedule.js").Times, files: Record<string, string> }} sound
 * @property {import("./schedule.js").Times} blank
 */

const MOST_FIGURES = 6;
const NEVER = { hours: [], weekdays: [] };

/** @typedef {{ pathname: string, search: string }} Place of the page */

/**
 * The settings of a screen: as the server gives them; where it gives but the usual metrics, as the address asks for it
 * with `/board/{screen}?metric=…&metrics=…&window=…&teams=…&title=…`.
 * @param {Place} location
 * @param {ScreenSettings | { usual: string[] }} served
 * @returns {ScreenSettings}
 */
export function readAddress(location, served) {
  const query = new URLSearchParams(location.search);
  return part("usual" in served ? asked(location, query, served.usual) : { ...served, isServed: true }, query);
}

/**
 * @param {Place} location
 * @param {URLSearchParams} query
 * @param {string[]} usual
 * @returns {ScreenSettings}
 */
function asked(location, query, usual) {
  const window = query.get("window") || "today";
  const metrics = names(query.get("metrics"));
  return {
    screen: decodeURIComponent(location.pathname.split("/").filter(Boolean).pop() || ""),
    title: query.get("title") || "",
    teams: names(query.get("teams") || query.get("team")),
    scenes: [
      {
        name: "", when: null,
        tiles: [
          { kind: "leaderboard", metric: query.get("metric") || usual[0], window },
          { kind: "figures", metrics: (metrics.length ? metrics : usual).slice(0, MOST_FIGURES), window },
          { kind: "leads", window },
        ],
      },
    ],
    rotate: 20000, isCalm: false, isOnePart: false, isServed: false, calendars: [], minGroup: 1, celebrates: [],
    sound: { isOn: false, volume: 0, quiet: NEVER, files: {} }, blank: NEVER,
  };
}

/**
 * With `scene=…` that scene alone, whenever it is; with `tile=…` that tile of it.
 * @param {ScreenSettings} settings
 * @param {URLSearchParams} query
 * @returns {ScreenSettings}
 */
function part(settings, query) {
  const name = query.get("scene");
  const tile = query.get("tile");
  if (name === null && tile === null) return { ...settings, isOnePart: false };
  const scene = settings.scenes.find((each) => each.name === name) || settings.scenes[0];
  const tiles = tile === null ? scene.tiles : scene.tiles.slice(Number(tile) - 1, Number(tile));
  return { ...settings, isOnePart: tile !== null, scenes: [{ ...scene, when: null, tiles }] };
}

function names(/** @type {string | null} */ list) {
  return (list || "").split(",").map((name) => name.trim()).filter((name) => name);
}

/** Every window that a tile of any scene shows, each once; a trend ends with today. */
export function windowsOf(/** @type {ScreenSettings} */ settings) {
  const tiles = settings.scenes.flatMap((scene) => scene.tiles);
  const windows = tiles.flatMap((tile) => [...(tile.window ? [tile.window] : []), ...(tile.kind === "trend" ? ["today"] : [])]);
  return Array.from(new Set(windows.length ? windows : ["today"]));
}

/** The window that a tile shows. */
export function windowOf(/** @type {TileSettings} */ tile) {
  return tile.window || "today";
}

/** The window by which the tiles of a scene go. */
export function mainWindow(/** @type {Scene} */ scene) {
  const windows = scene.tiles.filter((tile) => tile.window).map((tile) => /** @type {string} */ (tile.window));
  return windows.length ? windows[0] : "today";
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
 * @param {Record<string, string | number | undefined>} [query] what is undefined is left out
 */
export function apiAddress(settings, path, query = {}) {
  const said = new URLSearchParams();
  for (const name of Object.keys(query)) if (query[name] !== undefined) said.set(name, String(query[name]));
  said.set("screen", settings.screen);
  return path + "?" + said;
}

/** A screen that the server knows is given what it shows. */
export function streamAddress(/** @type {ScreenSettings} */ settings) {
  if (settings.isServed) return apiAddress(settings, "/v1/stream");
  const teams = settings.teams.join(",") || undefined;
  return apiAddress(settings, "/v1/stream", { windows: windowsOf(settings).join(","), teams });
}

export const CATALOGUE = "/v1/metrics";

/**
 * Where a CRM sends its webhooks, to be told to people.
 * @param {string} origin
 * @param {string} connection
 */
export function webhookAddress(origin, connection) {
  return origin + "/webhooks/" + encodeURIComponent(connection);
}
