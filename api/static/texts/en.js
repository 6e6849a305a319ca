// Everything that the board says in English. A text is words, or words by number (the plural categories of CLDR).
// `{name}` is replaced by what it is said with.

export const LANGUAGE = "en";
export const DIRECTION = "ltr";

export const TEXTS = {
  "state.connecting": "Connecting",
  "state.new": "Ready",
  "state.live": "Live",
  "state.closed": "Closed since {time}",
  "state.delayed": "Delayed",
  "state.stale": "Stale",
  "state.disconnected": "Disconnected",
  "state.refused": "Check this screen",

  "window.today": "Today",
  "window.yesterday": "Yesterday",
  "window.week": "This week",
  "window.month": "This month",
  "window.quarter": "This quarter",
  "window.year": "This year",
  "window.7d": "Last 7 days",
  "window.30d": "Last 30 days",
  "window.5m": "Last 5 minutes",
  "window.15m": "Last 15 minutes",
  "window.1h": "Last hour",
  "window.4h": "Last 4 hours",
  "window.24h": "Last 24 hours",

  "title.floor": "Sales floor",

  "leaderboard.heading": "{metric} · {window}",
  "leaderboard.range": "{first}–{last} of {total}",
  "leaderboard.empty": "No reps yet",
  "leaderboard.together": "all together",

  "goal.none": "There is no goal for this",
  "goal.of_target": "{share} of {target}",
  "goal.note": "{share} of {target} · {state}",
  "goal.reached": "reached",
  "goal.ahead": "ahead of pace",
  "goal.on_track": "on pace",
  "goal.behind": "behind pace",
  "goal.missed": "missed",

  "trend.today": "today {value}",

  "funnel.none": "This funnel has no steps",
  "funnel.go_on": "{share} go on",
  "funnel.worst": "{share} go on · most is lost here",

  "wins.heading": "Latest wins",
  "wins.none": "Nothing won yet. The first win will stand here.",
  "celebrate.deal_won": "Deal won!",
  "celebrate.goal_reached": "Goal reached!",
  "celebrate.milestone": "Milestone!",
  "celebrate.many": "{count} wins!",
  "celebrate.sound": "♪ {sound}",
  "sound.locked": "Sound is off: press a key or touch this screen once.",

  "win.deal_won": "Deal won",
  "win.goal_reached": "Goal reached: {goal}",
  "win.milestone": "{share} of the goal: {goal}",

  "figures.connected": "{value} connected",
  "figures.of_calls": "{value} of calls",
  "figures.talk": "{value} talk time",
  "figures.received": "{value} received",
  "figures.held": "{value} held",
  "figures.booked": "{value} booked",
  "figures.win_rate": "{value} win rate",
  "figures.a_deal": "{value} a deal",
  "figures.median": "{value} median",
  "figures.answered": "{value} answered",

  "leads.heading": "Waiting leads",
  "leads.waiting": "Waiting",
  "leads.warned": "Warned",
  "leads.breached": "Breached",
  "leads.count.waiting": { one: "waiting", other: "waiting" },
  "leads.count.warned": { one: "warned", other: "warned" },
  "leads.count.breached": { one: "breached", other: "breached" },
  "leads.nobody": "Unassigned",
  "leads.in_time": "in time",
  "leads.answered_by": "{name} answered after {duration}",
  "leads.none": "No lead is waiting",
  "leads.more": "+ {count} more",
  "leads.more_breached": "+ {count} more, {breached} of them breached",

  "alerts.heading": "Alerts",
  "alerts.none": "Nothing is wrong",
  "alerts.warn": "Warned",
  "alerts.escalate": "Escalated",
  "alerts.breach": "Breached",
  "alerts.below": "Below {limit}",
  "alerts.above": "Above {limit}",
  "alerts.reached": "Reached {limit}",
  "alerts.metric_window": "{metric}, {window}",
  "alerts.waits": "{source} · {duration}",
  "alerts.more": "+{count} more",
  "alerts.lost": "Connection lost",
  "alerts.last_known": "Last known numbers, as of {time}",
  "alerts.no_numbers": "No numbers yet",

  "freshness.as_of": "As of {time}",
  "freshness.verified": { one: "verified {time}, {count} difference", other: "verified {time}, {count} differences" },
  "freshness.not_verified": {
    one: "not verified since {time}, {count} difference", other: "not verified since {time}, {count} differences",
  },
  "freshness.delay": "Delay p95 {duration}",
  "freshness.heading": "Freshness",
  "freshness.closed": "closed",
  "freshness.live": "live",
  "freshness.new": "waiting for its first delivery",
  "freshness.delayed": "delayed",
  "freshness.stale": "stale",
  "freshness.disconnected": "disconnected",
  "freshness.more": "+{count}",

  "pair.heading": "Pair this screen",
  "pair.text": "This screen needs a valid key: its own is missing or not valid, has expired, or was revoked. Pair it with this code:",
  "pair.hint": "Whoever runs floorcast types: floorcast screens pair {code} --screen {screen}",
  "pair.sound": "Touch this screen or press a key once, if it is to play sounds.",
  "pair.busy": "Too many screens ask at once. This one asks again by itself.",
  "pair.away": "floorcast does not answer. This screen asks again by itself.",

  "quoted": "“{name}”",

  "new.heading": "Ready for the first event",
  "new.text": {
    one: "No event has been delivered yet. Let your CRM send its webhooks to this address:",
    other: "No event has been delivered yet. Let your CRMs send their webhooks to these addresses:",
  },
  "new.no_connections": "No CRM is connected yet. Name one under connections in floorcast.yaml.",
  "new.hint": "The numbers appear here by themselves with the first event.",

  "trouble.key.heading": "The key of this screen is not valid",
  "trouble.key.text":
    "It has expired, was revoked, or was never one of this floorcast. Ask whoever runs floorcast for a new link to this board, and open it here once.",
  "trouble.forbidden.heading": "The key of this screen is not for {names}",
  "trouble.forbidden.text": "It is limited to another team. Correct teams= in the address of this page, or ask for another key.",
  "trouble.team.heading": { one: "There is no team {names}", other: "There are no teams {names}" },
  "trouble.team.text": "Correct teams= in the address of this page. Teams are named there by their ids, with commas between them.",
  "trouble.window.heading": "There is no time span {names}",
  "trouble.window.text": "Correct window= in the address of this page: today, week, month, quarter, 7d, 1h …",
  "trouble.metric.heading": { one: "There is no metric {names}", other: "There are no metrics {names}" },
  "trouble.metric.text": "Correct the names in the address of this page; /v1/metrics lists all metrics.",
  "trouble.address.heading": "The address of this page asks for something that does not exist",
  "trouble.address.text": "Correct the address. The server says: {detail}",
  "trouble.starting.heading": "floorcast is not ready yet",
  "trouble.starting.text": "It is reading what has been received so far. The numbers appear here by themselves.",
  "trouble.away.heading": "floorcast does not answer",
  "trouble.away.text":
    "This screen keeps trying by itself. If this lasts, look whether the server runs, and whether this screen has a network.",
};

/** What shipped metrics are called; those of your own are called as metrics.yaml says. @type {Record<string, string>} */
export const METRICS = {};
