// Who waits for an answer: those whose time has run out first, then the longest, each with a clock that runs here, corrected by the server's clock.

import { arrange, element, fillBar, icon, nameElement, rowCapacity, setData, setIcon, setText } from "../dom.js";
import { clockText, countText, valueText } from "../format.js";
import { scopeOf } from "./figures.js";

const ROW_REM = 3.4;
const GAP_REM = 0.4;
const WORDS = { breached: "Breached", warned: "Warned", waiting: "Waiting" };
const URGENCY = { breached: 0, warned: 1, waiting: 2 };

export function create(root, board) {
  const heading = element("h2", "heading");
  const counts = element("p", "counts");
  const answered = element("p", "answered");
  const list = element("ol", "rows");
  const more = element("p", "more");
  const calm = element("p", "empty");
  const badges = Object.keys(WORDS).map(makeBadge);
  counts.append(...badges.map((badge) => badge.node));
  root.append(element("div", "tile-head", heading, counts, answered), list, more, calm);
  setText(heading, "Waiting leads");
  const rows = new Map();

  function render(store, now) {
    const leads = mostUrgentFirst(store.waitingLeads(), now);
    setData(root, "more", "0");
    let fitting = rowCapacity(list, ROW_REM, GAP_REM);
    if (leads.length > fitting) {
      // The line that says how many more there are takes its room from the list.
      setData(root, "more", "1");
      fitting = rowCapacity(list, ROW_REM, GAP_REM);
    }
    const shown = leads.slice(0, fitting);
    for (const lead of shown) if (!rows.has(lead.lead)) rows.set(lead.lead, makeRow(lead.lead));
    arrange(list, shown.map((lead) => rows.get(lead.lead).node));
    const kept = new Set(shown.map((lead) => lead.lead));
    for (const id of Array.from(rows.keys())) if (!kept.has(id)) rows.delete(id);
    for (const lead of shown) fillOwner(rows.get(lead.lead), lead, store);
    fillAnswered(answered, store, board);
    showEmpty(calm, store, leads);
    tick(store, now);
  }

  function tick(store, now) {
    const leads = store.waitingLeads();
    const totals = { breached: 0, warned: 0, waiting: 0 };
    let hidden = 0;
    let hiddenBreached = 0;
    for (const lead of leads) {
      const state = stateAt(lead, now);
      const row = rows.get(lead.lead);
      totals[state] += 1;
      if (row) fillClock(row, lead, state, now);
      else {
        hidden += 1;
        if (state === "breached") hiddenBreached += 1;
      }
    }
    for (const badge of badges) fillBadge(badge, totals[badge.state]);
    const breachedText = hiddenBreached ? ", " + countText(hiddenBreached) + " of them breached" : "";
    setText(more, hidden ? "+ " + countText(hidden) + " more" + breachedText : "");
  }

  return { render, tick };
}

/** A lead of five minutes that is overdue must not hide below leads of an hour that only wait. Within a state: as they come. */
function mostUrgentFirst(leads, now) {
  return leads.slice().sort((one, other) => URGENCY[stateAt(one, now)] - URGENCY[stateAt(other, now)]);
}

/** A lead is breached on the screen in the second its clock runs out, whether the server has said so yet or not. */
export function stateAt(lead, now) {
  if (lead.state === "breached" || now >= Date.parse(lead.due_at)) return "breached";
  if (lead.state === "warned" || now >= Date.parse(lead.warn_at)) return "warned";
  return "waiting";
}

function makeBadge(state) {
  const count = element("span", "count");
  const node = element("span", "badge", icon(state), count, element("span", "word", WORDS[state].toLowerCase()));
  setData(node, "state", state);
  return { state, node, count };
}

function fillBadge(badge, total) {
  setText(badge.count, countText(total));
  badge.node.hidden = total === 0;
}

function makeRow(id) {
  const bar = element("span", "bar");
  const sign = icon("waiting");
  const word = element("span", "word");
  const lead = nameElement("lead");
  const owner = nameElement("owner");
  const source = nameElement("source");
  const figures = element("span", "figures");
  const unit = element("span", "unit");
  const clock = element("time", "running", figures, unit);
  const node = element("li", "row", bar, element("span", "sign", sign, word), element("span", "who", owner, lead), source, clock);
  setData(node, "lead", id);
  setText(lead, id);
  return { node, bar, sign, word, owner, source, figures, unit };
}

function fillOwner(row, lead, store) {
  setText(row.owner, lead.rep ? lead.name || store.repName(lead.rep) : "Unassigned");
  row.owner.classList.toggle("nobody", !lead.rep);
  setText(row.source, lead.source ? String(lead.source).replace(/_/g, " ") : "");
}

function fillClock(row, lead, state, now) {
  const started = Date.parse(lead.started_at);
  const [figures, unit] = clockText(now - started);
  setData(row.node, "state", state);
  setIcon(row.sign, state);
  setText(row.word, WORDS[state]);
  setText(row.figures, figures);
  setText(row.unit, unit);
  const allowed = Date.parse(lead.due_at) - started;
  const spent = state === "breached" ? 1 : allowed > 0 ? Math.max(0, Math.min(1, (now - started) / allowed)) : 0;
  fillBar(row.bar, spent);
}

function fillAnswered(node, store, board) {
  const text = valueText(scopeOf(store, board).value("lead_response_within_sla"), "ratio");
  node.textContent = "";
  node.append(element("strong", "share", text), " in time");
}

function showEmpty(node, store, leads) {
  node.textContent = "";
  if (store.hasSnapshot && !leads.length) node.append(icon("done"), element("span", "", "No lead is waiting"));
}
