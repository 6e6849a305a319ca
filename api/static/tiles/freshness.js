// How far the numbers can be trusted: as of when, what a recount of the log found, how long from webhook to screen, and
// each connection's last delivery.

import { arrange, element, icon, nameElement, setData, setIcon, setText } from "../dom.js";
import { ageText, countText, dayText, latencyText, NOTHING, timeText } from "../format.js";
import { connections, latency, verification, WORDS, worst } from "../freshness.js";

const MOST_CONNECTIONS = 12;
const SIGNS = { right: "live", wrong: "breached", stale: "stale" };

export function create(root, board) {
  const asOf = element("p", "as-of");
  const sign = icon("live");
  const words = element("span", "words");
  const verified = element("p", "verified", sign, words);
  const list = element("ul", "connection-list");
  const more = element("p", "connection-more");
  const delay = element("p", "latency");
  root.append(asOf, verified, list, more, delay);
  const chips = [];

  function render(store, now) {
    const entries = connections(store.freshness, now);
    const p95 = latency(store.freshness);
    setText(asOf, store.hasSnapshot ? "As of " + timeText(board.asOf, store.organisation.timezone, true) : "As of " + NOTHING);
    fillVerified(verification(store.freshness), store.organisation.timezone, now);
    setText(delay, "Delay p95 " + (p95 === null ? NOTHING : latencyText(p95)));
    const shown = entries.slice(0, MOST_CONNECTIONS);
    while (chips.length < shown.length) chips.push(makeChip());
    // A screen that hears nothing cannot say that anything is live.
    const least = board.state === "disconnected" ? "stale" : "live";
    shown.forEach((entry, index) => fillChip(chips[index], entry, worst(entry.state, least)));
    arrange(list, chips.slice(0, shown.length).map((chip) => chip.node));
    const hidden = entries.length - firstLine();
    setText(more, hidden > 0 ? "+" + hidden : "");
  }

  function fillVerified(found, timezone, now) {
    verified.hidden = found === null;
    if (found === null) return;
    setData(verified, "state", found.state);
    setIcon(sign, SIGNS[found.state]);
    setText(words, verifiedText(found, timezone, now));
  }

  /** Connections that do not fit wrap into lines below the visible one; the worst come first. */
  function firstLine() {
    const nodes = Array.from(list.children);
    return nodes.filter((node) => node.offsetTop === nodes[0].offsetTop).length;
  }

  return { render, tick: render };
}

/** A recount of another day names it: 12:03 alone would be believed to be today's. */
function verifiedText(found, timezone, now) {
  const day = dayText(found.at, timezone);
  const at = (day === dayText(now, timezone) ? "" : day + " ") + timeText(found.at, timezone);
  const differences = countText(found.differences) + (found.differences === 1 ? " difference" : " differences");
  return (found.isStale ? "not verified since " : "verified ") + at + ", " + differences;
}

function makeChip() {
  const sign = icon("live");
  const name = nameElement("name");
  const word = element("span", "word");
  const age = element("span", "age");
  return { node: element("li", "connection", sign, name, word, age), sign, name, word, age };
}

function fillChip(chip, entry, state) {
  setData(chip.node, "state", state);
  setIcon(chip.sign, state);
  setText(chip.name, entry.name);
  setText(chip.word, WORDS[state].toLowerCase());
  setText(chip.age, entry.age === null ? "never delivered" : ageText(entry.age));
}
