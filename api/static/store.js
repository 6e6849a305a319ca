// The last known values: rows, waiting leads, open alerts, freshness, and the folding of stream events into them.
// Pure: no page, no clock, no connection. A value that stops coming stays; only a snapshot or a closing event removes one.

const WAITING_STATES = new Set(["waiting", "warned", "breached"]);
const ALERT_ORDER = { escalate: 0, breach: 1, warn: 2 };
// A milestone stays open until its quarter ends; on the screen it is news for an hour.
const MILESTONE_SHOWN = 3600000;

export class Store {
  constructor(windowName) {
    this.windowName = windowName;
    this.hasSnapshot = false;
    this.organisation = {};
    this.build = null;
    this.freshness = null;
    this.clear();
  }

  clear() {
    this.rows = new Map();
    this.leads = new Map();
    this.alerts = new Map();
  }

  apply(kind, data) {
    if (kind === "snapshot") this.replace(data);
    else if (kind === "metrics") this.mergeRows(data.rows);
    else if (kind === "lead") this.putLead(data);
    else if (kind === "alert") this.putAlert(data);
    else if (kind === "freshness") this.freshness = data;
  }

  replace(snapshot) {
    this.clear();
    this.hasSnapshot = true;
    this.mergeRows(snapshot.rows);
    for (const lead of snapshot.leads || []) this.putLead(lead);
    for (const alert of snapshot.alerts || []) this.putAlert(alert);
    if (snapshot.freshness) this.freshness = snapshot.freshness;
    if (snapshot.organisation) this.organisation = snapshot.organisation;
    else if (snapshot.timezone) this.organisation = { timezone: snapshot.timezone };
  }

  mergeRows(rows) {
    for (const row of rows || []) {
      if (row.window && row.window.name && row.window.name !== this.windowName) continue;
      const key = rowKey(row);
      const known = this.rows.get(key) || { metrics: {}, bounds: {} };
      // A bound belongs to its value: a metric that came without one has none any more.
      const bounds = { ...known.bounds };
      for (const name of Object.keys(row.metrics || {})) delete bounds[name];
      this.rows.set(key, {
        ...known, ...row, metrics: { ...known.metrics, ...row.metrics }, bounds: { ...bounds, ...row.bounds },
      });
    }
  }

  putLead(lead) {
    if (WAITING_STATES.has(lead.state)) this.leads.set(lead.lead, { ...this.leads.get(lead.lead), ...lead });
    else this.leads.delete(lead.lead);
  }

  putAlert(alert) {
    if (alert.resolved_at) this.alerts.delete(alert.id);
    else this.alerts.set(alert.id, { ...this.alerts.get(alert.id), ...alert });
  }

  organisationRow() {
    return this.rows.get("organisation") || null;
  }

  teamRow(team) {
    return this.rows.get("team:" + team) || null;
  }

  repRows() {
    return Array.from(this.rows.values()).filter((row) => row.rep);
  }

  repName(rep) {
    const row = this.rows.get("rep:" + rep);
    return (row && row.name) || rep;
  }

  teamName(team) {
    const row = this.teamRow(team);
    return (row && row.name) || team || "";
  }

  waitingLeads() {
    const leads = Array.from(this.leads.values());
    return leads.sort((a, b) => Date.parse(a.started_at) - Date.parse(b.started_at) || (a.lead < b.lead ? -1 : 1));
  }

  /** Leads' breaches and escalations and crossed limits, the gravest and oldest first; of one lead only the gravest. */
  graveAlerts(now) {
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

function isGrave(alert, now) {
  if (!(alert.level in ALERT_ORDER)) return false;
  if (!alert.metric) return alert.level !== "warn";
  return alert.comparison !== "reaches" || now - Date.parse(alert.raised_at) < MILESTONE_SHOWN;
}

/** A team's row has a team and no rep, the organisation's has neither key. */
function rowKey(row) {
  if (row.rep) return "rep:" + row.rep;
  return "team" in row ? "team:" + row.team : "organisation";
}
