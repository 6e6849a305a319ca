// The open breaches and escalations, and metrics beyond a limit, in the masthead; when the connection is lost, that, because it comes before all else.

import { arrange, element, icon, nameElement, setData, setIcon, setText } from "../dom.js";
import { countText, timeText, valueText } from "../format.js";

const SIGNS = { escalate: ["escalated", "Escalated"], breach: ["breached", "Breached"], lost: ["disconnected", "Connection lost"] };
const CROSSINGS = { below: ["warned", "Below"], above: ["warned", "Above"], reaches: ["done", "Reached"] };
const MOST_CHIPS = 6;

export function create(root, board) {
  const list = element("ul", "alert-list");
  const more = element("p", "alert-more");
  root.append(list, more);
  const chips = [];

  function render(store, now) {
    const entries = board.state === "disconnected" ? [lostEntry(store)] : [];
    for (const alert of store.graveAlerts(now)) entries.push(alertEntry(store, alert));
    setData(root, "count", String(entries.length));
    const shown = entries.slice(0, MOST_CHIPS);
    while (chips.length < shown.length) chips.push(makeChip());
    shown.forEach((entry, index) => fillChip(chips[index], entry));
    arrange(list, chips.slice(0, shown.length).map((chip) => chip.node));
    const hidden = entries.length - firstLine();
    setText(more, hidden > 0 ? "+" + countText(hidden) + " more" : "");
  }

  /** Chips that do not fit wrap into lines below the visible one. */
  function firstLine() {
    const nodes = Array.from(list.children);
    return nodes.filter((node) => node.offsetTop === nodes[0].offsetTop).length;
  }

  function lostEntry(store) {
    const at = timeText(board.asOf, store.organisation.timezone, true);
    return { level: "lost", sign: SIGNS.lost, subject: store.hasSnapshot ? "Last known numbers, as of " + at : "No numbers yet", owner: "" };
  }

  function alertEntry(store, alert) {
    const owner = alert.rep ? store.repName(alert.rep) : store.teamName(alert.team);
    if (alert.metric) return crossingEntry(alert, owner || store.organisation.name || "");
    return { level: alert.level, sign: SIGNS[alert.level], subject: alert.lead, owner: owner || "Unassigned" };
  }

  /** Says the limit, not the number: that is the one of the crossing, and moves on. */
  function crossingEntry(alert, owner) {
    const [sign, word] = CROSSINGS[alert.comparison] || CROSSINGS.above;
    const limit = valueText(alert.limit, board.catalogue.unit(alert.metric), alert.currency);
    const window = alert.window === board.window ? "" : ", " + alert.window;
    const level = alert.comparison === "reaches" ? "reached" : alert.level;
    return { level, kind: "metric", sign: [sign, word + " " + limit], subject: board.catalogue.label(alert.metric) + window, owner };
  }

  return { render };
}

function makeChip() {
  const sign = icon("breached");
  const word = element("span", "word");
  const subject = nameElement("subject");
  const owner = nameElement("owner");
  return { node: element("li", "chip", sign, word, subject, owner), sign, word, subject, owner };
}

function fillChip(chip, entry) {
  const [sign, word] = entry.sign;
  setData(chip.node, "level", entry.level);
  setData(chip.node, "kind", entry.kind || "");
  setIcon(chip.sign, sign);
  setText(chip.word, word);
  setText(chip.subject, entry.subject);
  setText(chip.owner, entry.owner);
}
