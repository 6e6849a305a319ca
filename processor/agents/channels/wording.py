"""How people are told of alerts: a headline and a line for each, in plain text.

Owns the words. Calls people, teams and leads as far as the channel may know them (processor/core/calling.py), and by
their ids where nobody says a name. What comes from outside is one line of plain text here; each channel escapes what
its own markup takes for more.
"""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

from schemas.alerts import Alert, Crossing
from schemas.instants import to_datetime

LISTED = 20
"""Alerts that one message names; the rest is counted."""

_WORDS = {"warn": "soon due", "breach": "overdue", "escalate": "escalated"}
_NO_LONGER = "no longer waiting"
_BACK = "back"
_WINDOWS = {
    "today": "today", "week": "this week", "month": "this month", "quarter": "this quarter", "year": "this year",
    "5m": "in the last 5 minutes", "15m": "in the last 15 minutes", "1h": "in the last hour",
    "4h": "in the last 4 hours", "24h": "in the last 24 hours",
    "7d": "in the last 7 days", "30d": "in the last 30 days",
}  # fmt: skip


LONGEST = 256
"""Characters of one id or name in a message."""
_BREAKS = frozenset("\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029")
_TURNS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They make what follows read in another order than it is written."""


def one_line(text: str | None) -> str:
    """What came from outside as one line: breaks become blanks, what hides or turns text around is shown as such.

    The same text always gives the same.
    """
    if text is None or (text.isprintable() and _TURNS.isdisjoint(text)):
        return text or ""
    return "".join(map(_shown, text))


def plain(text: str | None) -> str:
    """An id or name from outside for people: one line, and not longer than a message bears."""
    text = one_line(text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _shown(character: str) -> str:
    if character in _BREAKS:
        return " "
    is_hidden = character in _TURNS or unicodedata.category(character) in {"Cc", "Cs", "Co", "Cn"}
    return "\N{REPLACEMENT CHARACTER}" if is_hidden else character


def for_people(alerts: Sequence[Alert]) -> list[Alert]:
    """Those that people want to hear of: not that a day is over on which somebody called too little."""
    return [alert for alert in alerts if alert.crossing is None or alert.is_open or not alert.crossing.is_over]


def headline(alerts: Sequence[Alert]) -> str:
    """One line for all of them."""
    if len(alerts) == 1:
        return _one(alerts[0])
    leads = [alert for alert in alerts if alert.crossing is None]
    metrics = [alert for alert in alerts if alert.crossing is not None]
    return "; ".join(_counted(*group) for group in (("lead", leads), ("metric", metrics)) if group[1])


def summary_headline(alerts: Sequence[Alert]) -> str:
    """One line for alerts that were first told long after their instants."""
    of_leads = [alert for alert in alerts if alert.crossing is None]
    crossed = [alert for alert in alerts if alert.crossing is not None]
    parts = []
    if of_leads:
        leads = len({alert.lead for alert in of_leads})
        counts = Counter(alert.level for alert in of_leads)
        levels = ", ".join(f"{counts[level]} {word}" for level, word in _WORDS.items() if counts[level])
        parts.append(f"{leads} {'lead' if leads == 1 else 'leads'}: {levels}")
    if crossed:
        parts.append(_counted("metric", crossed))
    return f"Told late: {'; '.join(parts)}"


def summary_lines(alerts: Sequence[Alert], zone: ZoneInfo) -> list[str]:
    """How long ago these were due, and a line for some, longest first; of a lead that of its gravest level."""
    gravest: dict[str | None, Alert] = {}
    for alert in sorted(alerts, key=lambda alert: (list(_WORDS).index(alert.level), alert.id)):
        gravest[f"lead {alert.lead}" if alert.crossing is None else alert.id] = alert
    found = sorted(gravest.values(), key=lambda alert: (alert.started_at, alert.id))
    first, last = (_moment(pick(alert.due_at for alert in alerts), zone) for pick in (min, max))
    when = f"due {first}" if first == last else f"due between {first} and {last}"
    return [f"First heard of long after they were {when}; no message of its own is sent for any.", *lines(found, zone)]


def _one(alert: Alert) -> str:
    crossing = alert.crossing
    if crossing is not None:
        return f"{_label(crossing)} {_window(crossing)}, {_whose(alert, crossing)}: {_crossed(alert, crossing)}"
    if alert.event == "resolved":
        return f"Lead {_lead(alert)} no longer waits"
    return f"Lead {_lead(alert)} is {_WORDS[alert.level]}"


def _counted(what: str, alerts: Sequence[Alert]) -> str:
    counts = Counter(_word(alert) for alert in alerts)
    order = (*_WORDS.values(), _NO_LONGER, "below", "above", "reached", _BACK)
    number = f"{len(alerts)} {what}s" if len(alerts) > 1 else f"1 {what}"
    return f"{number}: " + ", ".join(f"{counts[word]} {word}" for word in order if counts[word])


def _word(alert: Alert) -> str:
    if alert.crossing is None:
        return _NO_LONGER if alert.event == "resolved" else _WORDS[alert.level]
    if alert.event == "resolved":
        return _BACK
    return "reached" if alert.crossing.comparison == "reaches" else alert.crossing.comparison


def lines(alerts: Sequence[Alert], zone: ZoneInfo) -> list[str]:
    """A line for each alert, and one for those that are not listed."""
    found = [_line(alert, zone) for alert in alerts[:LISTED]]
    if len(alerts) > LISTED:
        found.append(f"and {len(alerts) - LISTED} more")
    return found


def _line(alert: Alert, zone: ZoneInfo) -> str:
    late = ", told late" if alert.is_late else ""
    if alert.crossing is not None:
        if alert.event == "resolved":
            return _one(alert)
        return f"{_one(alert)}, since {_moment(alert.due_at, zone)}{late}"
    whose = ", ".join(
        part
        for part in (
            _rep(alert) if alert.rep is not None else "nobody's",
            f"team {_team(alert)}" if alert.team is not None else "",
        )
        if part
    )
    if alert.event == "resolved":
        return f"Lead {_lead(alert)} ({whose}): no longer waiting, was {_WORDS[alert.level]}"
    again = ", waits again" if alert.event == "reopened" else ""
    return (
        f"Lead {_lead(alert)} ({whose}): {_WORDS[alert.level]} since {_moment(alert.due_at, zone)}, "
        f"waiting since {_moment(alert.started_at, zone)}{late}{again}"
    )


def _label(crossing: Crossing) -> str:
    return crossing.metric if crossing.label is None else plain(crossing.label)


def _window(crossing: Crossing) -> str:
    return _WINDOWS.get(crossing.window, crossing.window)


def _whose(alert: Alert, crossing: Crossing) -> str:
    if crossing.per == "organisation":
        return "organisation"
    team = f"team {_team(alert)}"
    if crossing.per == "team":
        return team
    return (_rep(alert) or "somebody") + ("" if alert.team is None else f" ({team})")


def _rep(alert: Alert) -> str:
    """Whose it is; nothing, where the channel may not know."""
    called = alert.called
    if called is None:
        return f"rep {plain(alert.rep)}"
    return "" if called.rep is None else f"rep {plain(called.rep)}"


def _team(alert: Alert) -> str:
    called = alert.called
    return plain(alert.team if called is None or called.team is None else called.team)


def _lead(alert: Alert) -> str:
    called = alert.called
    return plain(alert.lead if called is None or called.lead is None else called.lead)


def _crossed(alert: Alert, crossing: Crossing) -> str:
    value, limit = _text(crossing, crossing.value), _text(crossing, crossing.limit)
    if crossing.comparison == "reaches":
        beyond = f"{limit} reached"
    else:
        beyond = f"{crossing.comparison} {limit}" + ("" if crossing.at is None else f" at {crossing.at}")
    if alert.event == "resolved":
        beyond = f"no longer {beyond}"
    return f"{value}, {beyond}"


def _text(crossing: Crossing, value: int | float | str | None) -> str:
    """A value as people write it: shares in percent, seconds as hours and minutes, money with its currency."""
    unit = crossing.unit
    if value is None:
        return "no number"
    if unit == "money":
        return f"{crossing.currency} {Decimal(value):,f}"
    number = float(value)
    if unit == "ratio":
        return f"{number * 100:.4g} %"
    if unit == "seconds":
        return _duration(round(number))
    if unit == "days":
        return f"{number:.4g} days"
    return f"{number:,.10g}"


def _duration(seconds: int) -> str:
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    return " ".join(f"{part} {unit}" for part, unit in ((hours, "h"), (minutes, "min"), (rest, "s")) if part) or "0 s"


def _moment(instant: int, zone: ZoneInfo) -> str:
    return to_datetime(instant).astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")
