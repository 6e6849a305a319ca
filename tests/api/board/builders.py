"""What a scripted api tells a wallboard: rows, leads, alerts, freshness and the snapshot of a floor."""

from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]

TEAMS = {"north": "North", "south": "South", "enterprise": "Enterprise"}
NAMES = """
Ana Lim, Marcus Okafor, Priya Raman, Jonas Weber, Chloé Martin, Diego Fernández, Siti Nurhaliza, Tom Becker,
Yuki Tanaka, Fatima Zahra El Idrissi, Owen Price, Lena Schäfer, Ravi Shankar, Grace Mbeki, Noah Lindqvist,
Mei Chen, Lucas Silva, Hana Kim, Omar Haddad, Ella Johansson, Victor Popescu, Aisha Bello, Kenji Mori,
Sofia Rossi, Daniel Cohen, Nur Aini, Patrick O'Neill, Ines Costa, Arjun Mehta, Zoe Dubois, Felix Braun,
Leila Karimi, Sam Taylor, Maria Alexandropoulou-Konstantinidis, Ivan Petrov, Rosa Jiménez, Peter Novak,
Amara Diallo, Kai Nguyen, Emil Hansen
"""
REPS = [name.strip() for name in NAMES.split(",")]


def instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> datetime:
    return datetime.now(UTC)


def make_row(metrics: Json, **key: Any) -> Json:
    return {
        **key,
        "window": {"name": "today", "from": "2026-03-18T00:00:00.000Z", "to": "2026-03-19T00:00:00.000Z"},
        "as_of": instant(now()),
        "currency": "USD",
        "metrics": metrics,
        "bounds": {},
    }


def make_rep(number: int, name: str, calls: int, team: str = "north", **metrics: Any) -> Json:
    return make_row({"calls_made": calls, "emails_sent": 2 * calls, **metrics}, rep=f"r-{number}", name=name, team=team)


def make_reps(count: int) -> list[Json]:
    teams = list(TEAMS)
    return [
        make_rep(number, name, 6 + (number * 37 + number * number) % 58, teams[number % 3])
        for number, name in enumerate(REPS[:count], 1)
    ]


ORGANISATION = {
    "calls_made": 1284,
    "connect_rate": 0.3123,
    "conversations": 207,
    "talk_seconds": 50_120,
    "emails_sent": 1906,
    "emails_received": 388,
    "meetings_held": 31,
    "meetings_booked": 44,
    "deals_won": 12,
    "win_rate": 0.4286,
    "revenue_won": "184250.00",
    "average_deal_size": "15354.17",
    "lead_response_within_sla": 0.9234,
    "lead_response_seconds_p50": 762.0,
}


def make_lead(lead: str, waited: float, sla: float = 3600, **fields: Any) -> Json:
    """Return a lead that has waited `waited` of its `sla` seconds, in the state that the server would give."""
    started = now() - timedelta(seconds=waited)
    state = "breached" if waited >= sla else "warned" if waited >= 0.75 * sla else "waiting"
    return {
        "lead": lead,
        "rep": "r-1",
        "team": "north",
        "source": "demo_request",
        "started_at": instant(started),
        "due_at": instant(started + timedelta(seconds=sla)),
        "waiting_seconds": waited,
        "business_seconds": waited,
        "state": state,
        **fields,
    }


def make_alert(number: int, level: str, **fields: Any) -> Json:
    return {
        "id": f"a-{number}",
        "kind": "lead_response",
        "level": level,
        "lead": f"l-{number}",
        "rep": f"r-{number}",
        "team": "north",
        "due_at": instant(now() - timedelta(minutes=number)),
        "raised_at": instant(now() - timedelta(minutes=number)),
        "resolved_at": None,
        "acknowledged_at": None,
        **fields,
    }


def make_crossing(number: int, metric: str, comparison: str = "below", limit: Any = 10, **fields: Any) -> Json:
    return make_alert(number, "warn") | {
        "kind": "metric_threshold",
        "lead": None,
        "metric": metric,
        "window": "today",
        "comparison": comparison,
        "limit": limit,
        "value": limit,
        "currency": None,
        **fields,
    }


def make_freshness(**fields: Any) -> Json:
    return {
        "server_time": instant(now()),
        "connections": [
            {"connection": "crm", "last_delivery_at": instant(now() - timedelta(seconds=3))},
            {"connection": "dialer", "last_delivery_at": instant(now() - timedelta(seconds=41))},
        ],
        "end_to_end_seconds": {"p50": 0.041, "p95": 0.118, "p99": 0.204},
        **fields,
    }


def make_verification(at: datetime, differences: int = 0, *, stale: bool = False) -> Json:
    return {"verified_at": instant(at), "differences": differences, "stale": stale, "every_seconds": 300.0}


def make_snapshot(**fields: Any) -> Json:
    teams = [make_row({"calls_made": 400}, team=team, name=name) for team, name in TEAMS.items()]
    return {
        "rows": [make_row(ORGANISATION), *teams, *make_reps(12)],
        "leads": [make_lead("l-1", 1500)],
        "alerts": [],
        "freshness": make_freshness(),
        "organisation": {"name": "Acme", "timezone": "Asia/Kuala_Lumpur", "currency": "USD"},
        "server_time": instant(now()),
        "build": "1",
        **fields,
    }


CATALOGUE = [
    {
        "name": name,
        "label": label,
        "unit": unit,
        "better": "lower" if name.startswith("lead_response_seconds") else "higher",
        "definition": "",
        "version": 1,
    }
    for name, label, unit in (
        ("calls_made", "Calls made", "count"),
        ("conversations", "Conversations", "count"),
        ("emails_sent", "Emails sent", "count"),
        ("meetings_held", "Meetings held", "count"),
        ("deals_won", "Deals won", "count"),
        ("revenue_won", "Revenue won", "money"),
        ("connect_rate", "Connect rate", "ratio"),
        ("win_rate", "Win rate", "ratio"),
        ("talk_seconds", "Talk time", "seconds"),
        ("lead_response_seconds_p50", "Response time (median)", "seconds"),
        ("lead_response_within_sla", "Answered within SLA", "ratio"),
        ("sales_cycle_days_p50", "Sales cycle (median)", "days"),
        ("emails_received", "Emails received", "count"),
        ("meetings_booked", "Meetings booked", "count"),
        ("average_deal_size", "Average deal size", "money"),
        ("stage_conversion", "Stage conversion", "ratio"),
    )
]
