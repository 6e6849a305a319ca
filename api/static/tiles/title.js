// Whose numbers these are, and of which time.

import { element, setText } from "../dom.js";
import { dateText } from "../format.js";

const WINDOWS = {
  today: "Today", yesterday: "Yesterday", week: "This week", month: "This month", quarter: "This quarter", year: "This year",
  "7d": "Last 7 days", "30d": "Last 30 days", "5m": "Last 5 minutes", "15m": "Last 15 minutes", "1h": "Last hour",
  "4h": "Last 4 hours", "24h": "Last 24 hours",
};

export function windowLabel(name) {
  return WINDOWS[name] || name;
}

export function create(root, board) {
  const heading = element("h1", "title");
  const subtitle = element("p", "subtitle");
  root.append(heading, subtitle);

  function render(store, now) {
    const teams = board.teams.map((team) => store.teamName(team)).join(", ");
    const text = board.title || teams || store.organisation.name || "Sales floor";
    setText(heading, text);
    document.title = text;
    const scope = board.title && teams ? [teams] : [];
    const label = windowLabel(board.window);
    const date = board.window === "today" ? [dateText(now, store.organisation.timezone)] : [];
    setText(subtitle, [...scope, label, ...date].join(" · "));
  }

  return { render };
}
