// The big numbers: four to six metrics of the organisation, or of the teams the screen is for, each with its companion.

import { element, fitText, setData, setText } from "../dom.js";
import { compareDecimals, NOTHING, valueText, valueTexts } from "../format.js";

const DEFAULT_METRICS = ["calls_made", "conversations", "emails_sent", "meetings_held", "deals_won", "revenue_won"];
const MOST_FIGURES = 6;

// Quality beside quantity: the second metric says what the first is worth.
const COMPANIONS = {
  calls_made: ["connect_rate", "connected"],
  calls_connected: ["connect_rate", "of calls"],
  conversations: ["talk_seconds", "talk time"],
  emails_sent: ["emails_received", "received"],
  meetings_booked: ["meetings_held", "held"],
  meetings_held: ["meetings_booked", "booked"],
  deals_won: ["win_rate", "win rate"],
  revenue_won: ["average_deal_size", "a deal"],
  lead_response_within_sla: ["lead_response_seconds_p50", "median"],
  leads_assigned: ["leads_answered", "answered"],
  leads_due: ["leads_answered", "answered"],
};

const LONGEST_NEWS = 1500;
const RAREST_NEWS = 20000;

export function create(root, board) {
  const names = (board.metrics.length ? board.metrics : DEFAULT_METRICS).slice(0, MOST_FIGURES);
  const list = element("dl", "figure-list");
  setData(list, "count", String(names.length));
  const figures = names.map((name) => makeFigure(name, board));
  list.append(...figures.map((figure) => figure.node));
  root.append(list);

  function render(store, now) {
    const scope = scopeOf(store, board);
    for (const figure of figures) fillFigure(figure, scope, board, now);
  }

  return { render };
}

function makeFigure(name, board) {
  const label = element("dt", "label");
  const value = element("dd", "value");
  const note = element("dd", "note");
  const node = element("div", "figure", label, value, note);
  setData(node, "metric", name);
  setData(node, "unit", board.catalogue.unit(name));
  return { name, node, label, value, note, shown: undefined, changedAt: 0 };
}

function fillFigure(figure, scope, board, now) {
  const { catalogue } = board;
  const value = scope.value(figure.name);
  const unit = catalogue.unit(figure.name);
  setText(figure.label, catalogue.label(figure.name));
  setData(figure.node, "unit", unit);
  fitText(figure.value, valueTexts(value, unit, scope.currency, scope.bound(figure.name)));
  setText(figure.note, noteText(figure.name, scope, catalogue));
  markNews(figure, value, now);
}

/** A number that rarely moves lights up for a moment when it rises; one that always moves stays calm. */
function markNews(figure, value, now) {
  const before = figure.shown;
  figure.shown = value;
  if (before === undefined || before === null || value === null || before === value) return;
  const isNews = compareDecimals(value, before) > 0 && now - figure.changedAt > RAREST_NEWS;
  figure.changedAt = now;
  if (!isNews) return;
  figure.node.classList.add("news");
  setTimeout(() => figure.node.classList.remove("news"), LONGEST_NEWS);
}

function noteText(name, scope, catalogue) {
  const companion = COMPANIONS[name];
  if (!companion) return "";
  const [metric, words] = companion;
  const text = valueText(scope.value(metric), catalogue.unit(metric), scope.currency, scope.bound(metric));
  return text === NOTHING ? "" : text + " " + words;
}

/** Where the numbers come from: the organisation, one team, or the sum of several teams where a sum is right. */
export function scopeOf(store, board) {
  if (board.teams.length > 1) return sumOfTeams(store, board);
  const row = board.teams.length ? store.teamRow(board.teams[0]) : store.organisationRow();
  return {
    currency: (row && row.currency) || store.organisation.currency,
    value: (name) => (row && name in row.metrics ? row.metrics[name] : null),
    bound: (name) => (row ? row.bounds[name] : null),
  };
}

function sumOfTeams(store, board) {
  const rows = board.teams.map((team) => store.teamRow(team)).filter((row) => row);
  return {
    currency: store.organisation.currency,
    value: (name) => {
      const known = rows.map((row) => row.metrics[name]).filter((value) => typeof value === "number");
      return board.catalogue.isAdditive(name) && known.length ? known.reduce((a, b) => a + b) : null;
    },
    bound: () => null,
  };
}
