// What is known of metrics: the served catalogue, and enough of the shipped one to show numbers before it has come.

const UNITS = {
  connect_rate: "ratio", win_rate: "ratio", lead_response_within_sla: "ratio",
  talk_seconds: "seconds", lead_response_seconds_p50: "seconds", lead_response_seconds_p90: "seconds",
  sales_cycle_days_p50: "days",
  revenue_won: "money", average_deal_size: "money",
};

// Of these the smaller value ranks first.
const SMALLER_IS_BETTER = /^(lead_response_seconds|sales_cycle|deals_lost)/;

// Only these may be added up over teams; rates and percentiles are made by the server from merged samples.
const ADDITIVE = new Set([
  "calls_made", "calls_connected", "conversations", "talk_seconds", "emails_sent", "emails_received", "meetings_booked",
  "meetings_held", "leads_assigned", "leads_due", "leads_answered", "deals_won", "deals_lost",
]);

export class Catalogue {
  constructor() {
    this.entries = new Map();
  }

  /** Takes what `GET /v1/metrics` answered. */
  load(answer) {
    const list = Array.isArray(answer) ? answer : answer.rows || answer.metrics || [];
    for (const entry of list) if (entry && entry.name) this.entries.set(entry.name, entry);
  }

  get isLoaded() {
    return this.entries.size > 0;
  }

  unit(name) {
    const entry = this.entries.get(name);
    return (entry && entry.unit) || UNITS[name] || "count";
  }

  label(name) {
    const entry = this.entries.get(name);
    if (entry && entry.label) return entry.label;
    const words = name.replace(/_/g, " ");
    return words.charAt(0).toUpperCase() + words.slice(1);
  }

  smallerIsBetter(name) {
    return SMALLER_IS_BETTER.test(name);
  }

  isAdditive(name) {
    return ADDITIVE.has(name);
  }
}
