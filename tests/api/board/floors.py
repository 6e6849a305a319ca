"""Floors on which every tile of a wallboard is looked at: nobody, one, sixty with long names, old numbers, none."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from api.http.board_page import screen_settings
from schemas.config.screens import ScreenConfig
from tests.api.board.builders import (
    ORGANISATION,
    REPS,
    TEAMS,
    Json,
    instant,
    make_alert,
    make_crossing,
    make_freshness,
    make_lead,
    make_row,
    make_snapshot,
    make_verification,
    now,
)
from tests.api.board.scripted import Floor

LONG = "Wolfgang Amadeus Maximilian Schlegelsteinhausen-Bergerdorffs"
"""Of 60 characters."""
PERSIAN = ("شیرین احمدی", "علی‌رضا محمدزادهٔ شاهرودی", "نسترن")
METRICS = ["calls_made", "conversations", "emails_sent", "meetings_held", "deals_won", "revenue_won"]
SCENES: list[Json] = [
    {
        "name": "Day",
        "tiles": [
            {"kind": "leaderboard", "metric": "revenue_won"},
            {"kind": "figures", "metrics": METRICS},
            {"kind": "leads"},
        ],
    },
    {
        "name": "Month",
        "tiles": [
            {"kind": "race", "metric": "revenue_won"},
            {"kind": "funnel", "metric": "stage_conversion", "window": "month"},
            {"kind": "trend", "metric": "revenue_won", "window": "30d"},
        ],
    },
    {
        "name": "Wins",
        "tiles": [
            {"kind": "wins", "limit": 6},
            {"kind": "thermometer", "metric": "revenue_won"},
            {"kind": "message", "text": "Kick-off at 16:00 in the large room", "qr": "floor"},
        ],
    },
    {
        "name": "Health",
        "tiles": [
            {"kind": "freshness"},
            {"kind": "alerts"},
            {"kind": "leaderboard", "metric": "revenue_won", "rank": "attainment"},
            {"kind": "figures", "metrics": METRICS[:4]},
        ],
    },
]
"""Together all kinds of tiles."""


def every_tile(language: str = "en", **more: Any) -> Json:
    """The settings of a screen with these scenes."""
    found = ScreenConfig.model_validate({"language": language, "scenes": SCENES, **more})
    return screen_settings("floor", found, teams=[], calendars=["floor"])


def goal(target: str, attainment: float | None, state: str, expected: str) -> Json:
    return {
        "target": target,
        "attainment": attainment,
        "expected": expected,
        "pace": 1.0,
        "gap": "1.00",
        "state": state,
    }


STATES = ("behind", "ahead", "on_track", "reached", "missed")


def people(names: list[str]) -> list[Json]:
    teams = list(TEAMS)
    found = []
    for place, name in enumerate(names):
        share = round(1.3 - 1.2 * place / max(1, len(names)), 3)
        won = f"{share * 20_000:.2f}"
        goals = {"revenue_won": goal("20000.00", share, STATES[place % 5], "11000.00")} if place % 7 < 6 else {}
        metrics = {"calls_made": 90 - place, "revenue_won": won}
        found.append(
            make_row(metrics, rep=f"r-{place + 1}", name=name, team=teams[place % 3]) | {"goals": goals},
        )
    return found


GOALS = {
    "calls_made": goal("1500", 0.856, "behind", "1400"),
    "conversations": goal("200", 1.035, "reached", "100"),
    "emails_sent": goal("2000", 0.953, "ahead", "1200"),
    "revenue_won": goal("26004567.50", 0.0071, "behind", "9004567.00"),
}


def win(number: int, name: str, **more: Any) -> Json:
    at = instant(now() - timedelta(minutes=17 * number))
    return {
        "win": f"deal_won:d-{number}:{at}", "cause": "deal_won", "rep": f"r-{number}", "name": name, "team": "north",
        "photo": None, "deal": f"d-{number}", "deal_name": "Globex renewal of all licences", "amount": "12000.00",
        "currency": "USD", "goal": None, "metric": None, "milestone": None, "at": at, "withdrawn": False,
    } | more  # fmt: skip


def _teams() -> list[Json]:
    return [make_row({"calls_made": 400}, team=team, name=name) for team, name in TEAMS.items()]


def _filled(names: list[str], leads: int, alerts: int, **more: Any) -> Json:
    waiting = [
        make_lead(f"l-{n}", 700 * n, name=names[n % len(names)], lead_name=f"{names[-n % len(names)]} & Co")
        for n in range(leads, 0, -1)
    ]
    grave = [make_alert(n, ("breach", "escalate")[n % 2], name=names[n % len(names)]) for n in range(1, alerts + 1)]
    if alerts:
        grave.append(make_crossing(77, "calls_made", rep=None, name=None))
    wins = [win(n, names[n % len(names)]) for n in range(1, min(6, leads) + 1)]
    return make_snapshot(
        rows=[make_row(ORGANISATION) | {"goals": GOALS}, *_teams(), *people(names)],
        leads=waiting,
        alerts=grave,
        wins=wins,
        freshness=make_freshness(verification=make_verification(now() - timedelta(minutes=3))),
        **more,
    )


def sixty() -> list[str]:
    """Names of many lengths, two of them the same."""
    return [LONG, *PERSIAN, *REPS, REPS[0], *[f"{name.split()[0]} {LONG[:30]}" for name in REPS[:15]]]


STEPS = [
    {"step": "new", "label": "New", "entered": 120, "advanced": 90, "lost": 20, "open": 10, "conversion": 0.75},
    {"step": "demo", "label": "Demonstration with everybody who decides", "entered": 90, "advanced": 22, "lost": 60,
     "open": 8, "conversion": 0.2444},
    {"step": "offer", "label": "Offer", "entered": 22, "advanced": 12, "lost": 4, "open": 6, "conversion": 0.5454},
    {"step": "won", "label": "Won", "entered": 12, "advanced": 12, "lost": 0, "open": 0, "conversion": None},
]  # fmt: skip


def _answers(floor: Floor, *, is_empty: bool = False) -> None:
    begin = now() - timedelta(days=29)
    points = [
        {"from": instant(begin + timedelta(days=day)), "value": f"{(day * 7919) % 23 * 1000}.00"} for day in range(30)
    ]
    floor.answers = {
        "/v1/funnels/stage_conversion": {"steps": [] if is_empty else STEPS, "worst": None if is_empty else "demo"},
        "/v1/series/revenue_won": {"points": [] if is_empty else points},
        "/v1/wins": {"rows": []},
    }


def nobody(floor: Floor) -> None:
    _answers(floor, is_empty=True)
    nothing: Json = {"calls_made": 0, "revenue_won": "0.00", "win_rate": None, "emails_sent": 0}
    floor.snapshot = make_snapshot(rows=[make_row(nothing)], leads=[], alerts=[], wins=[])


def one(floor: Floor) -> None:
    _answers(floor)
    floor.snapshot = _filled(["Ana Lim"], 1, 0)


def three(floor: Floor) -> None:
    _answers(floor)
    floor.snapshot = _filled(["Ana Lim", LONG, PERSIAN[0]], 3, 1)


def forty(floor: Floor) -> None:
    _answers(floor)
    floor.snapshot = _filled(list(REPS), 12, 4)


def many(floor: Floor) -> None:
    _answers(floor)
    floor.snapshot = _filled(sixty(), 20, 8)


def stale(floor: Floor) -> None:
    many(floor)
    hours_ago = instant(now() - timedelta(hours=3))
    floor.snapshot["freshness"] = make_freshness(
        connections=[{"connection": "crm", "last_delivery_at": hours_ago}], behind_seconds=400.0,
        verification=make_verification(now() - timedelta(hours=5), differences=2, stale=True),
    )  # fmt: skip


def new(floor: Floor) -> None:
    _answers(floor, is_empty=True)
    floor.snapshot = make_snapshot(
        rows=[make_row({"calls_made": 0})], leads=[], alerts=[], wins=[],
        freshness=make_freshness(
            connections=[{"connection": "feed", "last_delivery_at": None}],
            end_to_end_seconds={"p50": None, "p95": None},
        ),
    )  # fmt: skip


FLOORS: dict[str, Callable[[Floor], None]] = {
    "nobody": nobody,
    "one": one,
    "three": three,
    "forty": forty,
    "many": many,
    "stale": stale,
    "new": new,
}
