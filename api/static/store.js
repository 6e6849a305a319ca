// The last known values: rows by window, waiting leads, open alerts, wins, freshness, and the folding of stream events
// into them. Pure: no page, no clock, no connection. A value that stops coming stays; only a snapshot or a closing event
// removes one. Every event says what it has changed.

import { readable } from "./catalogue.js";
import { difference, nothing } from "./differences.js";

/** @typedef {import("./differences.js").Differences} Differences */
/** @typedef {number | string | null} Value */

/**
 * @typedef {object} Row
 * @property {string} [rep]
 * @property {string | null} [team]
 * @property {string} [name]
 * @property {string | null} [photo] where their picture is; without one there is none any more
 * @property {{ name: string, from?: string, to?: string }} [window]
 * @property {string} [currency]
 * @property {Record<string, Value>} metrics
 * @property {Record<string, number>} bounds
 * @property {Record<string, Goal>} [goals] by metric
 */

/**
 * What is to be reached of a metric, and how far it is; as REST says it.
 * @typedef {object} Goal
 * @property {Value} target
 * @property {number | null} attainment
 * @property {Value} [expected]
 * @property {number | null} [pace]
 * @property {Value} [gap]
 * @property {"reached" | "ahead" | "on_track" | "behind" | "missed" | null} state  null: what was reached is not kept
 */

/**
 * @typedef {object} Lead
 * @property {string} lead
 * @property {string} state
 * @property {string | null} [rep]
 * @property {string | null} [name]
 * @property {string | null} [team]
 * @property {string | null} [source]
 * @property {string | null} [lead_name] as the CRM calls the person or company, where the screen may say it
 * @property {string} started_at
 * @property {string} due_at
 * @property {string} [warn_at]
 * @property {string | null} [answered_by] the name of who has answered, once somebody has
 * @property {string | null} [answered_at]
 */

/**
 * @typedef {object} Alert
 * @property {string} id
 * @property {string} [kind]
 * @property {string} level
 * @property {string | null} [lead]
 * @property {string | null} [rep]
 * @property {string | null} [name]
 * @property {string | null} [team]
 * @property {string | null} [started_at]
 * @property {string} due_at
 * @property {string} raised_at
 * @property {string | null} [resolved_at]
 * @property {string} [metric]
 * @property {string} [connection]
 * @property {string} [window]
 * @property {string} [goal]
 * @property {number} [milestone]
 * @property {{ name: string }} [period]
 * @property {string} [comparison]
 * @property {number | string} [limit]
 * @property {string | null} [currency]
 */

/**
 * Something to be celebrated, once for each `win`.
 * @typedef {object} Win
 * @property {string} win
 * @property {string} cause
 * @property {string | null} [rep]
 * @property {string | null} [name]
 * @property {string | null} [team]
 * @property {string | null} [photo]
 * @property {string | null} [deal_name]
 * @property {string | null} [amount]
 * @property {string | null} [currency]
 * @property {string | null} [goal]
 * @property {string | null} [metric]
 * @property {number | null} [milestone]
 * @property {string} at
 * @property {boolean} withdrawn
 */

/** @typedef {{ name?: string, timezone?: string, currency?: string }} Organisation */

/**
 * @typedef {object} Snapshot
 * @property {Row[]} [rows]
 * @property {Lead[]} [leads]
 * @property {Alert[]} [alerts]
 * @property {Win[]} [wins]
 * @property {Win[]} [taken_back] what is won no more
 * @property {import("./freshness.js").Freshness} [freshness]
 * @property {Organisation} [organisation]
 */

const WAITING_STATES = new Set(["waiting", "warned", "breached"]);
/** @type {Record<string, number>} */
const ALERT_ORDER = { escalate: 0, breach: 1, warn: 2 };
// A milestone stays open until its quarter ends; on the screen it is news for an hour.
const MILESTONE_SHOWN = 3600000;
// As many as a snapshot has.
const MOST_WINS = 20;

export class Store {
  /** Keeps the rows of these windows; those of others are left alone. */
  constructor(/** @type {string[]} */ windows) {
    this.windows = windows;
    this.hasSnapshot = false;
    /** @type {Organisation} */
    this.organisation = {};
    /** @type {import("./freshness.js").Freshness | null} */
    this.freshness = null;
    /** @type {Map<string, Map<string, Row>>} */
    this.rows = new Map(windows.map((name) => [name, new Map()]));
    /** @type {Map<string, Lead>} */
    this.leads = new Map();
    /** @type {Map<string, Alert>} */
    this.alerts = new Map();
    /** @type {Map<string, Win>} */
    this.wins = new Map();
    /** What was taken back since the screen looks. @type {Set<string>} */
    this.withdrawn = new Set();
  }

  /** Forget all values; maps that somebody still compares with stay as they are. */
  clear() {
    this.hasSnapshot = false;
    this.rows = new Map(this.windows.map((name) => [name, new Map()]));
    this.leads = new Map();
    this.alerts = new Map();
    this.wins = new Map();
  }

  /**
   * Takes an event of the stream in; gives back what it has changed.
   * @param {string} kind
   * @param {any} data
   * @returns {Differences}
   */
  apply(kind, data) {
    if (kind === "snapshot") return this.replace(data);
    const changed = nothing();
    if (kind === "metrics") this.mergeRows(data.rows, changed);
    else if (kind === "lead") this.putLead(data, changed);
    else if (kind === "alert") this.putAlert(data, changed);
    else if (kind === "win") this.putWin(data, changed);
    else if (kind === "freshness") this.freshness = data;
    return changed;
  }

  replace(/** @type {Snapshot} */ snapshot) {
    const before = { rows: this.rows, leads: this.leads, alerts: this.alerts, wins: this.wins };
    const isFirst = !this.hasSnapshot;
    this.clear();
    this.hasSnapshot = true;
    const unheeded = nothing();
    this.mergeRows(snapshot.rows, unheeded);
    for (const lead of snapshot.leads || []) this.putLead(lead, unheeded);
    for (const alert of snapshot.alerts || []) this.putAlert(alert, unheeded);
    // The newest first, as in lists of wins.
    for (const win of (snapshot.wins || []).slice().reverse()) this.putWin(win, unheeded);
    if (snapshot.freshness) this.freshness = snapshot.freshness;
    if (snapshot.organisation) this.organisation = snapshot.organisation;
    const changed = difference(before, this, isFirst);
    for (const win of snapshot.taken_back || []) {
      this.withdrawn.add(win.win);
      changed.wins.push({ id: win.win, before: null, after: null, said: win });
    }
    return changed;
  }

  /**
   * @param {Row[] | undefined} rows
   * @param {Differences} changed
   */
  mergeRows(rows, changed) {
    for (const row of rows || []) {
      const window = row.window ? row.window.name : this.windows[0];
      const held = this.rows.get(window);
      if (!held) continue;
      const scope = scopeOf(row);
      const known = held.get(scope) || { metrics: {}, bounds: {}, goals: {} };
      // A bound belongs to its value: a metric that came without one has none any more.
      const bounds = { ...known.bounds };
      for (const name of Object.keys(row.metrics || {})) {
        delete bounds[name];
        const before = name in known.metrics ? known.metrics[name] : null;
        if (before !== row.metrics[name]) changed.values.push({ window, scope, metric: name, before, after: row.metrics[name] });
      }
      held.set(scope, {
        ...known, ...row, photo: row.photo || null, metrics: { ...known.metrics, ...row.metrics }, bounds: { ...bounds, ...row.bounds },
        goals: { ...known.goals, ...row.goals },
      });
    }
  }

  /**
   * @param {Lead} lead
   * @param {Differences} changed
   */
  putLead(lead, changed) {
    const before = this.leads.get(lead.lead) || null;
    const after = WAITING_STATES.has(lead.state) ? { ...before, ...lead } : null;
    if (after) this.leads.set(lead.lead, after);
    else this.leads.delete(lead.lead);
    changed.leads.push({ id: lead.lead, before, after, said: lead });
  }

  /**
   * @param {Alert} alert
   * @param {Differences} changed
   */
  putAlert(alert, changed) {
    const before = this.alerts.get(alert.id) || null;
    const after = alert.resolved_at ? null : { ...before, ...alert };
    if (after) this.alerts.set(alert.id, after);
    else this.alerts.delete(alert.id);
    changed.alerts.push({ id: alert.id, before, after });
  }

  /**
   * @param {Win} win
   * @param {Differences} changed
   */
  putWin(win, changed) {
    const before = this.wins.get(win.win) || null;
    const after = win.withdrawn ? null : win;
    if (after) this.wins.set(win.win, after);
    else this.wins.delete(win.win);
    if (after) this.withdrawn.delete(win.win);
    else this.withdrawn.add(win.win);
    for (const oldest of Array.from(this.wins.keys()).slice(0, -MOST_WINS)) this.wins.delete(oldest);
    changed.wins.push({ id: win.win, before, after, said: win });
  }

  /** @returns {Row[]} */
  rowsOf(/** @type {string} */ window) {
    const held = this.rows.get(window);
    return held ? Array.from(held.values()) : [];
  }

  organisationRow(/** @type {string} */ window) {
    return this.row(window, "organisation");
  }

  /**
   * @param {string} window
   * @param {string} team
   */
  teamRow(window, team) {
    return this.row(window, "team:" + team);
  }

  teamRows(/** @type {string} */ window) {
    return this.rowsOf(window).filter((row) => !row.rep && "team" in row);
  }

  repRows(/** @type {string} */ window) {
    return this.rowsOf(window).filter((row) => row.rep);
  }

  /**
   * Whether anything has happened: something is counted of these metrics, or somebody waits. Others count who is there,
   * which is so before anything happens.
   * @param {readonly string[]} metrics
   */
  hasNumbers(metrics) {
    const rows = this.windows.flatMap((window) => this.rowsOf(window));
    return this.leads.size > 0 || rows.some((row) => metrics.some((name) => Number(row.metrics[name] || 0) !== 0));
  }

  /**
   * What a person is called; nothing, where the screen is told no name.
   * @param {string} rep
   * @param {string | null | undefined} name as it came with what is said of them
   */
  personName(rep, name) {
    return name === null ? "" : name || this.nameOf("rep:" + rep) || rep;
  }

  /**
   * Whose a lead or an alert is. Of somebody whom the screen does not show it comes with their team alone.
   * @param {{ rep?: string | null, name?: string | null, team?: string | null }} what
   */
  holderName({ rep, name, team }) {
    return rep ? this.personName(rep, name) : this.teamName(team);
  }

  /** A team by the name that somebody has given it; where nobody has, by its id, in a form for people. */
  teamName(/** @type {string | null | undefined} */ team) {
    if (!team) return "";
    const name = this.nameOf("team:" + team);
    return name && name !== team ? name : readable(team);
  }

  nameOf(/** @type {string} */ scope) {
    for (const window of this.windows) {
      const row = this.row(window, scope);
      if (row && row.name) return row.name;
    }
    return "";
  }

  /**
   * @param {string} window
   * @param {string} scope
   * @returns {Row | null}
   */
  row(window, scope) {
    const held = this.rows.get(window);
    return (held && held.get(scope)) || null;
  }

  waitingLeads() {
    const leads = Array.from(this.leads.values());
    return leads.sort((a, b) => Date.parse(a.started_at) - Date.parse(b.started_at) || (a.lead < b.lead ? -1 : 1));
  }

  /** Leads' breaches and escalations and crossed limits, the gravest and oldest first; of one lead only the gravest. */
  graveAlerts(/** @type {number} */ now) {
    /** @type {Map<string, Alert>} */
    const gravest = new Map();
    for (const alert of this.alerts.values()) {
      if (!isGrave(alert, now)) continue;
      const subject = alert.lead || alert.id;
      const other = gravest.get(subject);
      if (!other || ALERT_ORDER[alert.level] < ALERT_ORDER[other.level]) gravest.set(subject, alert);
    }
    return Array.from(gravest.values()).sort(
      (a, b) => ALERT_ORDER[a.level] - ALERT_ORDER[b.level] || Date.parse(a.due_at) - Date.parse(b.due_at),
    );
  }
}

/**
 * @param {Alert} alert
 * @param {number} now
 */
function isGrave(alert, now) {
  if (!(alert.level in ALERT_ORDER)) return false;
  if (!alert.metric) return alert.level !== "warn";
  return alert.comparison !== "reaches" || now - Date.parse(alert.raised_at) < MILESTONE_SHOWN;
}

/** Whose a row is: a team's row has a team and no rep, the organisation's has neither key. */
function scopeOf(/** @type {Row} */ row) {
  if (row.rep) return "rep:" + row.rep;
  return "team" in row ? "team:" + row.team : "organisation";
}
