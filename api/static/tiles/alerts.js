// The open breaches and escalations, in the masthead; when the connection is lost, that, because it comes before all else.

import { arrange, element, icon, nameElement, setData, setIcon, setText } from "../dom.js";
import { countText, timeText } from "../format.js";

const SIGNS = { escalate: ["escalated", "Escalated"], breach: ["breached", "Breached"], lost: ["disconnected", "Connection lost"] };
const MOST_CHIPS = 6;

export function create(root, board) {
  const list = element("ul", "alert-list");
  const more = element("p", "alert-more");
  root.append(list, more);
  const chips = [];

  function render(store) {
    const entries = board.state === "disconnected" ? [lostEntry(store)] : [];
    for (const alert of store.graveAlerts()) entries.push(alertEntry(store, alert));
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
    return { level: "lost", subject: store.hasSnapshot ? "Last known numbers, as of " + at : "No numbers yet", owner: "" };
  }

  function alertEntry(store, alert) {
    const owner = alert.rep ? store.repName(alert.rep) : store.teamName(alert.team);
    if (alert.lead) return { level: alert.level, subject: alert.lead, owner: owner || "Unassigned" };
    return { level: alert.level, subject: alert.metric ? board.catalogue.label(alert.metric) : "Threshold", owner };
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
  const [sign, word] = SIGNS[entry.level];
  setData(chip.node, "level", entry.level);
  setIcon(chip.sign, sign);
  setText(chip.word, word);
  setText(chip.subject, entry.subject);
  setText(chip.owner, entry.owner);
}
