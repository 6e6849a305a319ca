// Why a screen shows no numbers: what the api has answered, as one of few kinds that people can do something about. Pure.

import { metricsOf, windowsOf } from "./address.js";

/** @typedef {import("./address.js").ScreenSettings} ScreenSettings */
/** @typedef {"key" | "forbidden" | "team" | "window" | "metric" | "address" | "starting" | "away"} Kind */

/**
 * @typedef {object} Trouble
 * @property {Kind} kind
 * @property {string[]} names of what is not known
 * @property {string} detail as the server words it
 */

/** @typedef {{ status: number, field: string, detail: string }} Refusal an answer of the api that is no stream */

// What does not mend itself: somebody has to correct the address, or to give this screen another key.
const LASTING = new Set(["key", "forbidden", "team", "window", "address"]);

/** What is told of a floor before the key that showed it was refused must not stay on the wall. */
export function isLasting(/** @type {Trouble | null} */ trouble) {
  return trouble !== null && LASTING.has(trouble.kind);
}

/**
 * @param {Refusal | null} refusal null: nothing has answered
 * @param {ScreenSettings} settings
 * @returns {Trouble}
 */
export function troubleOf(refusal, settings) {
  if (refusal === null) return { kind: "away", names: [], detail: "" };
  const { status, field, detail } = refusal;
  if (status === 401) return { kind: "key", names: [], detail };
  if (status === 403) return { kind: "forbidden", names: settings.teams, detail };
  if (status === 404 && field.startsWith("team")) return { kind: "team", names: named(settings.teams, detail), detail };
  if (status === 422 && field.startsWith("window")) return { kind: "window", names: named(windowsOf(settings), detail), detail };
  if (status === 422 && field.startsWith("metric")) return { kind: "metric", names: named(metricsOf(settings), detail), detail };
  if (status === 503 || status === 429) return { kind: "starting", names: [], detail };
  if (status < 500) return { kind: "address", names: [], detail };
  return { kind: "away", names: [], detail };
}

/**
 * A metric in the address that the server does not know; null: there is none.
 * @param {ScreenSettings} settings
 * @param {import("./catalogue.js").Catalogue} catalogue
 * @returns {Trouble | null}
 */
export function unknownMetrics(settings, catalogue) {
  const names = metricsOf(settings).filter((name) => catalogue.isUnknown(name));
  return names.length ? { kind: "metric", names, detail: "" } : null;
}

/**
 * Those of the names asked for that the server's line speaks of; all, where it speaks of none.
 * @param {string[]} asked
 * @param {string} detail
 */
function named(asked, detail) {
  const found = asked.filter((name) => detail.includes("'" + name + "'") || detail.includes('"' + name + '"'));
  return found.length ? found : asked;
}
