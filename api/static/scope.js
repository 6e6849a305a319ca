// Whose numbers the big figures are: the organisation's, one team's, or the sum of several where a sum is right. Pure.

import { goalOfAll } from "./goals.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./store.js").Row} Row */
/** @typedef {import("./store.js").Value} Value */

/**
 * @typedef {object} Scope
 * @property {string[]} keys of the rows it is made of, as in differences
 * @property {string} [currency]
 * @property {(metric: string) => Value} value
 * @property {(metric: string) => number | null} bound
 * @property {(metric: string) => import("./store.js").Goal | null} goal
 */

/**
 * The teams that a tile is for: its own, else those of the screen.
 * @param {import("./address.js").ScreenSettings} settings
 * @param {import("./address.js").TileSettings} tile
 */
export function teamsOf(settings, tile) {
  return tile.team ? [tile.team] : settings.teams;
}

/**
 * Whether somebody or something of this team belongs on a tile.
 * @param {import("./address.js").TileSettings} tile
 * @param {string | null | undefined} team
 */
export function isOfTile(tile, team) {
  return !tile.team || team === tile.team;
}

/**
 * The teams that a screen is for: those that it asks for; of a key that is limited, those that it is given.
 * @param {Store} store
 * @param {string[]} asked
 * @param {string} window
 */
export function teamsShown(store, asked, window) {
  if (asked.length || store.organisationRow(window)) return asked;
  return store.teamRows(window).map((row) => String(row.team));
}

/**
 * @param {Store} store
 * @param {string[]} asked
 * @param {string} window
 * @param {(metric: string) => boolean} isAdditive
 * @returns {Scope}
 */
export function scopeOf(store, asked, window, isAdditive) {
  const teams = teamsShown(store, asked, window);
  if (teams.length > 1) return sumOfTeams(store, teams, window, isAdditive);
  const row = teams.length ? store.teamRow(window, teams[0]) : store.organisationRow(window);
  return {
    keys: [teams.length ? "team:" + teams[0] : "organisation"],
    currency: (row && row.currency) || store.organisation.currency,
    value: (metric) => valueOf(row, metric),
    bound: (metric) => (row && metric in row.bounds ? row.bounds[metric] : null),
    goal: (metric) => goalOf(row, metric),
  };
}

/**
 * @param {Row | null} row
 * @param {string} metric
 */
function valueOf(row, metric) {
  return row && metric in row.metrics ? row.metrics[metric] : null;
}

/**
 * One without a state is of a window that is not kept: nobody knows how far it is.
 * @param {Row | null} row
 * @param {string} metric
 */
function goalOf(row, metric) {
  return row && row.goals && row.goals[metric] && row.goals[metric].state ? row.goals[metric] : null;
}

/**
 * @param {Store} store
 * @param {string[]} teams
 * @param {string} window
 * @param {(metric: string) => boolean} isAdditive
 * @returns {Scope}
 */
function sumOfTeams(store, teams, window, isAdditive) {
  return {
    keys: teams.map((team) => "team:" + team),
    currency: store.organisation.currency,
    value: (metric) => {
      if (!isAdditive(metric)) return null;
      /** @type {number | null} */
      let sum = null;
      for (const team of teams) {
        const value = valueOf(store.teamRow(window, team), metric);
        // Money is a text. It is shown here, not counted with.
        if (value !== null) sum = (sum || 0) + Number(value);
      }
      return sum;
    },
    bound: () => null,
    goal: (metric) => {
      if (!isAdditive(metric)) return null;
      const rows = teams.map((team) => store.teamRow(window, team));
      return goalOfAll(rows.map((row) => ({ value: valueOf(row, metric), goal: goalOf(row, metric) })));
    },
  };
}
