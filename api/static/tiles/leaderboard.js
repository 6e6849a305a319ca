// Who is ahead: reps by one metric, ties sharing a rank. More reps than fit are paged, never made smaller.

import { arrange, element, fillBar, nameElement, rowCapacity, setData, setText } from "../dom.js";
import { compareDecimals, countText, valueText } from "../format.js";
import { windowLabel } from "./title.js";

const ROW_REM = 3.4;
const GAP_REM = 0.4;
const PAGE_MILLISECONDS = 12000;
const MOVE = { duration: 500, easing: "cubic-bezier(0.2, 0.7, 0.2, 1)" };
const APPEAR = { duration: 300, easing: "ease-out" };

export function create(root, board) {
  const heading = element("h2", "heading");
  const range = element("span", "range");
  const list = element("ol", "rows");
  const empty = element("p", "empty");
  root.append(element("div", "tile-head", heading, range), list, empty);
  const rows = new Map();
  let shown = [];

  function render(store, now) {
    const name = board.metric;
    const standings = rank(store, name, board.catalogue.smallerIsBetter(name));
    const page = pageOf(standings.length, rowCapacity(list, ROW_REM, GAP_REM), now);
    const entries = standings.slice(page.first, page.first + page.size);
    setText(heading, board.catalogue.label(name) + " · " + windowLabel(board.window).toLowerCase());
    setText(range, page.count > 1 ? page.first + 1 + "–" + (page.first + entries.length) + " of " + countText(standings.length) : "");
    setText(empty, store.hasSnapshot && !standings.length ? "No reps yet" : "");
    place(entries);
    const best = standings.length ? standings[0].value : null;
    for (const entry of entries) fill(rows.get(entry.rep), entry, best, store, board);
    forget(standings);
  }

  /** Moves rows to their new places; those that stay on the page glide there. */
  function place(entries) {
    const order = entries.map((entry) => entry.rep);
    if (order.length === shown.length && order.every((rep, index) => rep === shown[index])) return;
    const before = new Map(shown.map((rep) => [rep, rows.get(rep).node.getBoundingClientRect().top]));
    for (const rep of order) if (!rows.has(rep)) rows.set(rep, makeRow(rep));
    for (const row of rows.values()) if (row.animation) row.animation.cancel();
    arrange(list, order.map((rep) => rows.get(rep).node));
    if (shown.length && !board.isCalm()) for (const rep of order) move(rows.get(rep), before.get(rep));
    shown = order;
  }

  function forget(standings) {
    const known = new Set(standings.map((entry) => entry.rep));
    for (const rep of Array.from(rows.keys())) if (!known.has(rep)) rows.delete(rep);
  }

  return { render, tick: render };
}

function move(row, before) {
  if (before === undefined) {
    row.animation = row.node.animate([{ opacity: 0 }, { opacity: 1 }], APPEAR);
    return;
  }
  const distance = before - row.node.getBoundingClientRect().top;
  if (!distance) return;
  row.animation = row.node.animate([{ transform: "translateY(" + distance + "px)" }, { transform: "none" }], MOVE);
}

/** Reps in order with their ranks: 1, 2, 2, 4; without a value last and without a rank. */
export function rank(store, metric, smallerIsBetter) {
  const direction = smallerIsBetter ? 1 : -1;
  const entries = store.repRows().map((row) => ({
    rep: row.rep, name: row.name || row.rep, team: row.team, currency: row.currency,
    value: metric in row.metrics ? row.metrics[metric] : null, bound: row.bounds[metric],
  }));
  const order = (a, b) => {
    if (a.value === null || b.value === null) return (a.value === null) - (b.value === null);
    return direction * compareDecimals(a.value, b.value);
  };
  entries.sort((a, b) => order(a, b) || a.name.localeCompare(b.name) || (a.rep < b.rep ? -1 : 1));
  entries.forEach((entry, index) => {
    const above = entries[index - 1];
    entry.rank = entry.value === null ? null : above && order(above, entry) === 0 ? above.rank : index + 1;
  });
  return entries;
}

/** Full pages, the last one too; turned by the clock, so that several screens turn together. */
function pageOf(total, capacity, now) {
  const count = Math.max(1, Math.ceil(total / capacity));
  const index = Math.floor(now / PAGE_MILLISECONDS) % count;
  return { count, size: capacity, first: Math.max(0, Math.min(index * capacity, total - capacity)) };
}

function makeRow(rep) {
  const bar = element("span", "bar");
  const rankText = element("span", "rank");
  const name = nameElement("name");
  const team = nameElement("team");
  const value = element("span", "value");
  const node = element("li", "row", bar, rankText, element("span", "who", name, team), value);
  setData(node, "rep", rep);
  return { node, bar, rankText, name, team, value, animation: null };
}

function fill(row, entry, best, store, board) {
  setText(row.rankText, entry.rank === null ? "" : String(entry.rank));
  setText(row.name, entry.name);
  setText(row.team, store.teamName(entry.team));
  setText(row.value, valueText(entry.value, board.catalogue.unit(board.metric), entry.currency || store.organisation.currency, entry.bound));
  const share = barShare(entry.value, best, board.catalogue.smallerIsBetter(board.metric));
  fillBar(row.bar, share);
  row.node.classList.toggle("leader", entry.rank === 1 && share > 0);
}

function barShare(value, best, smallerIsBetter) {
  if (value === null || best === null) return 0;
  const [part, whole] = smallerIsBetter ? [Number(best), Number(value)] : [Number(value), Number(best)];
  return whole > 0 ? Math.max(0, Math.min(1, part / whole)) : 0;
}
