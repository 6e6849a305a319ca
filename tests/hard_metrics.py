"""Metrics of a user that are hard to get right: twelve kinds of what comes late, moves, merges or ends with a day.

And the sections of a floorcast.yaml under which they are.
"""

from typing import Any

# Clocks went forward in America on 8 March.
SECTIONS: dict[str, dict[str, Any]] = {
    "kuala lumpur": {
        "timezone": "Asia/Kuala_Lumpur",
        "teams": {"north": {"name": "North"}, "south": {}},
        "reps": {"r1": {"name": "Ana", "team": "north", "since": "2026-03-01"}, "r2": {"aliases": {"feed": ["old-2"]}}},
        "currency_rates": {"EUR": [{"rate": "1.083"}, {"since": "2026-03-17", "rate": "1.1"}]},
        "lead_response": {"rules": [{"when": {"team": "south"}, "sla": "5m"}, {"sla": "1h"}]},
    },
    "new york": {
        "timezone": "America/New_York",
        "calendar": "office",
        "calendars": {
            "office": {"timezone": "America/New_York", "hours": {"mon-fri": ["09:00-17:00"], "sun": ["01:30-03:30"]}},
            "nights": {"timezone": "Australia/Lord_Howe", "hours": {"sun-thu": ["00:10-02:20", "20:00-24:00"]}},
        },
        "teams": {"south": {"calendar": "nights"}, "north": {}},
        "lead_response": {
            "start": "assigned", "stop": "contact", "credit": "owner", "responder": "team",
            "before_start": "exclude", "rules": [{"sla": "2h", "clock": "business"}],
        },
    },
}  # fmt: skip

_HARD = """
dimensions:
  source: {of: lead.source, values: {Web: [web]}, other: Other}
  first_touch: {of: lead.response, bands: [5m, 1h]}
  way: {of: call.direction}
  told: {of: call.talk_seconds, bands: [30s, 1m]}
  tier: {of: rep.attributes.tier}
  grade: {of: deal.attributes.tier, values: {Gold: [gold], Third: ["3"]}}
cold_sources: [web]
quiet_after: 1d
metrics:
  # A level over a rep's move; one that falls when its lead ends.
  pipeline_now: {unit: money, type: level, from: deal, start: created_at, end: ended_at, credit: rep, agg: sum,
    value: amount}
  in_hand: {unit: count, type: level, from: lead, start: received_at, end: ended_at, credit: rep, agg: distinct,
    of: [customer, source]}
  # Different leads over a merge of them.
  leads_touched: {unit: count, type: simple, from: lead.touches, at: at, credit: rep, agg: distinct, of: lead}
  leads_called_twice: {unit: count, type: simple, from: call, at: dialed_at, credit: rep, agg: distinct, of: lead,
    at_least: 2, keep: 80d}
  # A version that begins on a day of moves.
  talks:
    unit: count
    type: simple
    from: call
    at: dialed_at
    credit: rep
    agg: count
    versions:
      - {note: all calls}
      - {since: FIRST_DAY, where: {connected: true}}
      - {since: SECOND_DAY, where: {direction: inbound}}
  # What is made of versions, has them too.
  talks_of_r1: {unit: ratio, type: ratio, numerator: {metric: talks, where: {rep: r1}}, denominator: talks}
  soon_lost: {unit: ratio, type: conversion, base: deals_since, to: {status: lost}, at_to: closed_at, within: 1h,
    open: due, failed: {status: won}}
  deals_since: {unit: count, type: simple, from: deal, at: created_at, agg: count,
    versions: [{credit: rep}, {since: SECOND_DAY, credit: creator, where: {amount: {at_least: 20, below: 200}}}]}
  # Numbers that are exactly so.
  first_touches: {unit: count, type: simple, from: lead.touches, where: {number: [1, 3]}, at: at, credit: rep,
    agg: count}
  hundreds: {unit: count, type: simple, from: deal, where: {any: [{amount: 100.00}, {not: {amount: [50, "0.1"]}}]},
    at: created_at, agg: count}
  golden: {unit: count, type: simple, from: deal, where: {any: [{attributes.tier: gold}, {attributes.tier: "3"}]},
    at: created_at, credit: rep, agg: count, by: [grade]}
  # A person whom records call by another id.
  of_r2: {unit: count, type: simple, from: call, where: {rep: [r2, r3]}, at: dialed_at, agg: count, by: [told]}
  made_by_r2: {unit: count, type: simple, from: deal, where: {not: {creator: r2}, lead: {is_set: true}},
    at: created_at, agg: count, by: [source]}
  # Whoever is in charge, else the customer.
  in_charge: {unit: count, type: simple, from: [subscription, credit], at: [starts_at, at], agg: distinct,
    of: [rep, customer]}
  # A deal that is told later where it was before.
  at_second: {unit: count, type: simple, from: deal, where: {stage: s2}, at: entered_stage_at, credit: rep, agg: count}
  # One of two kinds says the label.
  reached_out: {unit: count, type: simple, from: [call, email], at: [dialed_at, sent_at], credit: rep, agg: count,
    by: [way]}
  # Told apart by what the lead says, which may come last.
  meetings_by_source: {unit: count, type: simple, from: meeting, at: [starts_at, booked_at], credit: people, agg: count,
    by: [source]}
  received: {unit: count, type: simple, from: lead, at: received_at, credit: rep, agg: count, by: [source]}
  # Terms that end at midnight in Kuala Lumpur.
  soon_qualified: {unit: ratio, type: conversion, base: received, to: {qualified_at: {is_set: true}},
    at_to: qualified_at, within: 30m, open: due}
  soon_won: {unit: ratio, type: conversion, to: {status: won}, at_to: closed_at, within: 30m, open: due, by: [source],
    base: deals_of_all}
  deals_of_all: {unit: count, type: simple, from: deal, at: created_at, credit: [creator, rep], agg: count,
    by: [source]}
  # Deals that come to name another lead.
  lost_of_web: {unit: count, type: simple, from: lead.deals, where: {status: lost, lead.source: web, followed: false},
    at: closed_at, credit: rep, agg: count, by: [first_touch]}
  sold_in: {unit: days, type: duration, from: lead.deals, start: lead.received_at, end: closed_at, stat: mean,
    credit: rep}
  # Working hours across a change of the clock.
  worked_on: {unit: seconds, type: duration, from: deal, start: created_at, end: closed_at, clock: business, stat: sum,
    credit: rep}
  # Some of each of the rest.
  customers_kept: {unit: ratio, type: level, from: subscription, start: starts_at, end: ends_at, credit: rep,
    agg: distinct, of: customer, stat: kept}
  busy_days: {unit: count, type: simple, from: [call, email, meeting], at: [logged_at, happened_at],
    credit: [logged_by, rep], agg: days}
  margin: {unit: money, type: ratio, numerator: profit, denominator: {metric: deals_of_all, where: {valued: true}}}
  profit: {unit: money, type: simple, from: deal, where: {any: [{status: won}, {amount: {at_least: 50}}]},
    at: created_at, credit: rep, agg: sum, value: amount - cost}
  due_soon: {unit: count, type: response, stat: due, within: 30m}
  answered_p75: {unit: seconds, type: response, stat: p75, within: 30m}
  value_late: {unit: money, type: response, stat: missed, within: 30m, value: value}
  answered_each: {unit: ratio, type: ratio, numerator: reached, denominator: written}
  reached: {unit: count, type: simple, from: thread.writers, where: {replied: true}, at: at, credit: rep, agg: count}
  written: {unit: count, type: simple, from: thread.writers, at: at, credit: rep, agg: count}
"""


def hard_metrics(first: str, second: str) -> str:
    """The text of a metrics.yaml; from these two days on other versions are in force."""
    return _HARD.replace("FIRST_DAY", first).replace("SECOND_DAY", second)
