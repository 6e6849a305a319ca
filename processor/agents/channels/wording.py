"""How people are told of alerts: a headline and a line for each, in plain text and the language of the channels.

Owns the order of what is said. Calls people, teams and leads as far as the channel may know them
(processor/core/alert_names.py), and by their ids where nobody says a name. What comes from outside is one line of plain
text here; each channel escapes what its own markup takes for more.
"""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from schemas.alerts import CONNECTION, GOAL, Alert, Crossing
from schemas.config import Config
from schemas.win_words import metric_label
from schemas.words import words_of

LISTED = 20
"""Alerts that one message names; the rest is counted."""

_LEVELS = ("warn", "breach", "escalate")
_STATES = (*_LEVELS, "resolved", "below", "above", "reaches", "back")
"""In the order in which they are counted."""


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


def plain_name(text: str | None) -> str:
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


class AlertMessage(NamedTuple):
    """A message about alerts."""

    headline: str
    lines: list[str]


class Wording:
    """The words of one configuration's channels."""

    def __init__(self, config: Config) -> None:
        self._config, self._zone = config, config.organisation.zone
        self._words = words_of(config.channel_language)
        self._say = self._words.say
        self.language, self.is_right_to_left = self._words.language, self._words.direction == "rtl"

    def told(self, alerts: Sequence[Alert]) -> AlertMessage:
        """A headline for all of them, and a line for each of the first."""
        if len(alerts) == 1:
            return AlertMessage(self._one(alerts[0]), self._lines(alerts))
        return AlertMessage(self._counted(alerts), self._lines(alerts))

    def summary(self, alerts: Sequence[Alert]) -> AlertMessage:
        """The same of alerts that were first told long after their instants: each lead by its gravest level."""
        gravest: dict[str, Alert] = {}
        for alert in sorted(alerts, key=lambda alert: (_LEVELS.index(alert.level), alert.id)):
            gravest[f"lead {alert.lead}" if alert.crossing is None else alert.id] = alert
        found = sorted(gravest.values(), key=lambda alert: (alert.started_at, alert.id))
        first, last = (self._moment(pick(alert.due_at for alert in alerts)) for pick in (min, max))
        due = (
            self._say("alert.due", time=first)
            if first == last
            else self._say("alert.due_between", first=first, last=last)
        )
        return AlertMessage(self._say("alert.late", counted=self._counted(alerts)), [due, *self._lines(found)])

    def _counted(self, alerts: Sequence[Alert]) -> str:
        """How many leads there are, and how many numbers of metrics, by their states."""
        leads = [alert for alert in alerts if alert.crossing is None]
        metrics = [alert for alert in alerts if alert.crossing is not None]
        parts = []
        if leads:
            count = len({alert.lead for alert in leads})
            parts.append(self._say("alert.leads", count, states=self._states(leads)))
        if metrics:
            parts.append(self._say("alert.metrics", len(metrics), states=self._states(metrics)))
        return "; ".join(parts)

    def _states(self, alerts: Sequence[Alert]) -> str:
        counts = Counter(map(_state, alerts))
        return self._words.several(
            [
                self._say("alert.count", many=self._words.number(counts[state]), state=self._say(f"alert.{state}"))
                for state in _STATES
                if counts[state]
            ]
        )

    def _lines(self, alerts: Sequence[Alert]) -> list[str]:
        found = [self._line(alert) for alert in alerts[:LISTED]]
        if len(alerts) > LISTED:
            found.append(self._say("digest.more", len(alerts) - LISTED))
        return found

    def _one(self, alert: Alert) -> str:
        if alert.crossing is not None:
            return self._metric(alert, alert.crossing)
        if alert.event == "resolved":
            return self._say("alert.lead_resolved", lead=_lead(alert))
        return self._say("alert.lead", lead=_lead(alert), state=self._say(f"alert.{alert.level}"))

    def _line(self, alert: Alert) -> str:
        if alert.event == "resolved":
            if alert.crossing is not None:
                return self._one(alert)
            state = self._say(f"alert.{alert.level}")
            return self._say("alert.answered", lead=_lead(alert), whose=self._whose_lead(alert), state=state)
        due = self._moment(alert.due_at)
        if alert.crossing is not None:
            line = self._say("alert.since", alert=self._one(alert), time=due)
        else:
            line = self._say(
                "alert.waiting", lead=_lead(alert), whose=self._whose_lead(alert),
                state=self._say(f"alert.{alert.level}"), due=due, started=self._moment(alert.started_at),
            )  # fmt: skip
        if alert.is_late:
            line = self._say("alert.told_late", alert=line)
        return self._say("alert.again", alert=line) if alert.event == "reopened" else line

    # ---------------------------------------------------------------- whose it is

    def _whose_lead(self, alert: Alert) -> str:
        rep = self._say("alert.nobody") if alert.rep is None else self._rep(alert)
        return self._words.several([part for part in (rep, self._team(alert)) if part])

    def _whose(self, alert: Alert, crossing: Crossing) -> str:
        team = self._team(alert)
        if crossing.per == "organisation":
            return self._say("alert.organisation")
        if crossing.per == "team":
            return team
        rep = self._rep(alert) or self._say("alert.somebody")
        return self._say("alert.rep_of", rep=rep, team=team) if team else rep

    def _rep(self, alert: Alert) -> str:
        """Whose it is; nothing, where the channel may not know."""
        name = alert.rep if alert.called is None else alert.called.rep
        return "" if name is None else self._say("alert.rep", name=plain_name(name))

    def _team(self, alert: Alert) -> str:
        called = alert.called
        name = alert.team if called is None or called.team is None else called.team
        return "" if name is None else self._say("alert.team", name=plain_name(name))

    # ---------------------------------------------------------------- what a metric did

    def _metric(self, alert: Alert, crossing: Crossing) -> str:
        limit = self._value(crossing, crossing.limit)
        beyond = self._words.within(f"alerts.{_BOARD.get(crossing.comparison, crossing.comparison)}", limit=limit)
        if crossing.at is not None:
            beyond = self._say("alert.at", beyond=beyond, time=self._words.digits(crossing.at))
        if alert.event == "resolved":
            beyond = self._say("alert.no_more", beyond=beyond)
        return self._say(
            "alert.metric", metric=self._label(alert, crossing), window=self._words.window(crossing.window),
            whose=self._whose(alert, crossing), value=self._value(crossing, crossing.value), beyond=beyond,
        )  # fmt: skip

    def _label(self, alert: Alert, crossing: Crossing) -> str:
        if alert.kind == GOAL:
            return self._say("alert.goal", name=plain_name(crossing.threshold))
        if alert.kind == CONNECTION:
            return self._say("alert.missed", connection=plain_name(crossing.threshold))
        if crossing.metric in self._config.catalogue:
            return plain_name(metric_label(crossing.metric, self._words, self._config))
        return plain_name(crossing.label or crossing.metric)

    def _value(self, crossing: Crossing, value: int | float | str | None) -> str:
        """A value as people write it, so exactly that it is on the side of its limit on which it is."""
        if value is None:
            return self._say("alert.no_number")
        if crossing.unit in {"ratio", "days"}:
            value = f"{float(value):.4g}"
        elif crossing.unit == "seconds":
            value = round(float(value))
        return self._words.formats.exactly(value, crossing.unit, crossing.currency)

    def _moment(self, instant: int) -> str:
        return self._words.moment(instant, self._zone)


_BOARD = {"reaches": "reached"}
"""Where the wallboard has another word for the same."""


def _state(alert: Alert) -> str:
    if alert.crossing is None:
        return "resolved" if alert.event == "resolved" else alert.level
    return "back" if alert.event == "resolved" else alert.crossing.comparison


def _lead(alert: Alert) -> str:
    called = alert.called
    return plain_name(alert.lead if called is None or called.lead is None else called.lead)
