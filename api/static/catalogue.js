// What is known of metrics: the served catalogue, and enough of the shipped one to show numbers before it has come.

/**
 * @typedef {object} Metric
 * @property {string} name
 * @property {string} label
 * @property {string} unit
 * @property {"higher" | "lower"} [better] which values rank first
 * @property {boolean} [additive] whether the numbers of several teams may be added up
 */

/** @type {Record<string, string>} */
const UNITS = {
  connect_rate: "ratio", win_rate: "ratio", lead_response_within_sla: "ratio",
  talk_seconds: "seconds", lead_response_seconds_p50: "seconds", lead_response_seconds_p90: "seconds",
  sales_cycle_days_p50: "days",
  revenue_won: "money", average_deal_size: "money",
};

// Only these may be added up over teams; rates and percentiles are made by the server from merged samples.
const ADDITIVE = new Set([
  "calls_made", "calls_connected", "conversations", "talk_seconds", "emails_sent", "emails_received", "meetings_booked",
  "meetings_held", "leads_assigned", "leads_due", "leads_answered", "deals_won", "deals_lost",
]);

export class Catalogue {
  /** @param {(name: string) => string} [translated] what a metric is called in the language of the screen, if anything */
  constructor(translated = () => "") {
    this.translated = translated;
    /** @type {Map<string, Metric>} */
    this.entries = new Map();
  }

  /** Takes what `GET /v1/metrics` answered. */
  load(/** @type {{ rows?: Metric[] }} */ answer) {
    this.entries.clear();
    for (const entry of answer.rows || []) if (entry && entry.name) this.entries.set(entry.name, entry);
  }

  get isLoaded() {
    return this.entries.size > 0;
  }

  /** Whether the server knows no such metric; nothing is said before it has told what it knows. */
  isUnknown(/** @type {string} */ name) {
    return this.isLoaded && !this.entries.has(name);
  }

  unit(/** @type {string} */ name) {
    const entry = this.entries.get(name);
    return (entry && entry.unit) || UNITS[name] || "count";
  }

  label(/** @type {string} */ name) {
    const entry = this.entries.get(name);
    return this.translated(name) || (entry && entry.label) || readable(name);
  }

  isLowerBetter(/** @type {string} */ name) {
    const entry = this.entries.get(name);
    return entry !== undefined && entry.better === "lower";
  }

  isAdditive(/** @type {string} */ name) {
    const entry = this.entries.get(name);
    return entry && entry.additive !== undefined ? entry.additive : ADDITIVE.has(name);
  }
}

/** An id as people would write it: `emails_sent` is "Emails sent". */
export function readable(/** @type {string} */ id) {
  const words = id.replace(/_+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
