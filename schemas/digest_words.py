"""The day in words: a digest as a message, in a language and with the names that a channel may be told.

Owns the order of what it says and how much of it is listed. Pure.
"""

from collections import Counter
from decimal import Decimal

import msgspec

from schemas.catalogue import money_digits
from schemas.catalogue.base import Exact, MetricValue, Reading, shown
from schemas.config import Config
from schemas.digest import DayDigest, Figure, Reached
from schemas.floor import Floor
from schemas.goals.periods import Days
from schemas.instants import format_instant, to_datetime
from schemas.leads import LeadClock
from schemas.naming import NameStyle, called, lead_called
from schemas.notices import Notice
from schemas.win_words import metric_label, told_win, win_line
from schemas.windows import date_of
from schemas.words import Words

DIGEST = "digest"
LISTED = 10
"""Wins, and leads, that it names; the others are counted."""
_UNKNOWN = "\N{EN DASH}"


def digest_notice(digest: DayDigest, floor: Floor, words: Words, names: NameStyle) -> Notice:
    """What one channel is told of the day."""
    config, zone = floor.config, floor.calendar.zone
    day = date_of(digest.day)
    says = _Says(config, floor, words, names)
    as_of = words.say("digest.as_of", time=words.time(to_datetime(digest.as_of).astimezone(zone)))
    lines = [as_of]
    if digest.goals:
        lines += ["", words.say("digest.goals"), *map(says.goal, digest.goals)]
    lines += ["", words.say("digest.wins", len(digest.wins)) if digest.wins else words.say("digest.no_wins")]
    lines += says.wins(digest)
    lines += ["", says.leads(digest), *(says.lead(clock, digest.as_of) for clock in digest.waiting[:LISTED])]
    lines += says.more(len(digest.waiting) - LISTED)
    head = tuple(words.say(f"digest.{column}") for column in ("metric", "today", "before", "change"))
    return Notice(
        DIGEST,
        words.say("digest.title", organisation=config.organisation.name, date=words.formats.full_date(day)),
        table=(head, *map(says.figure, digest.figures)),
        lines=tuple(lines),
        data=msgspec.json.encode(says.json(digest)).decode(),
        language=words.language,
        is_right_to_left=words.direction == "rtl",
    )


class _Says:
    """The parts of it."""

    def __init__(self, config: Config, floor: Floor, words: Words, names: NameStyle) -> None:
        self._config = config
        self._floor = floor
        self._words = words
        self._names = names
        self._digits = money_digits(config.organisation.currency)

    def figure(self, figure: Figure) -> tuple[str, ...]:
        """A row of the table."""
        unit = self._floor.catalogue[figure.metric].unit
        change = _UNKNOWN if figure.change is None else self._words.change(figure.change)
        if figure.change and unit == "ratio":
            # Of a share the difference is told, which is no share of the share before.
            change = self._words.say("digest.points", points=change)
        return self._label(figure.metric), self._value(figure.today, unit), self._value(figure.before, unit), change

    def goal(self, reached: Reached) -> str:
        """A line for a goal."""
        goal, found = self._floor.config.goals[reached.goal], reached.standing
        unit = self._floor.catalogue[goal.metric].unit
        name = self._label(goal.metric)
        if reached.scope.kind == "team":
            team = reached.scope.id or ""
            name = self._words.say("digest.goal_of", goal=name, of=self._floor.roster.team_names.get(team, team))
        name = self._words.say("digest.goal_of", goal=name, of=self._period(goal.period, reached.period))
        share = _UNKNOWN if found.attainment is None else self._words.formats.share(round(float(found.attainment), 4))
        state = self._words.say(f"goal.{found.state}")
        target, actual = (self._exact(value, unit) for value in (found.target, found.actual))
        return self._words.say("digest.goal", goal=name, actual=actual, target=target, share=share, state=state)

    def wins(self, digest: DayDigest) -> list[str]:
        """A line for each; where nobody is named, one for those of which the same is said."""
        told = Counter(win_line(told_win(win.row, self._names), self._words, self._config) for win in digest.wins)
        listed = [*told.items()][:LISTED]
        times = " \N{MULTIPLICATION SIGN} "
        lines = [line if many == 1 else line + times + self._words.number(many) for line, many in listed]
        return lines + self.more(len(digest.wins) - sum(many for _, many in listed))

    def leads(self, digest: DayDigest) -> str:
        """How many wait."""
        if not digest.waiting:
            return self._words.say("digest.no_leads")
        return self._words.say("digest.leads", len(digest.waiting), breached=self._words.number(digest.breached))

    def lead(self, clock: LeadClock, now: int) -> str:
        """One that waits: by name, as far as that may be told, else by where it came from; and who has it."""
        name = lead_called(self._names, clock.name)
        if name is None:
            name = (
                self._words.say("lead.of", source=clock.source.replace("_", " "))
                if clock.source
                else self._words.say("lead")
            )
        waited = self._words.formats.duration(max(0, now - (clock.started_at or now)) // 1_000_000)
        who = None if clock.rep is None else called(self._names, clock.rep, self._floor.roster.name_of(clock.rep))
        if who is None:
            return self._words.say("digest.lead", lead=name, duration=waited)
        return self._words.say("digest.lead_of", lead=name, who=who, duration=waited)

    def more(self, number: int) -> list[str]:
        """That there are so many more than are listed."""
        return [self._words.say("digest.more", number)] if number > 0 else []

    def json(self, digest: DayDigest) -> dict[str, object]:
        """The same for programs."""
        config = self._config
        return {
            "date": date_of(digest.day).isoformat(),
            "as_of": format_instant(digest.as_of),
            "currency": config.organisation.currency,
            "metrics": {
                figure.metric: {"value": figure.today, "day_before": figure.before, "change": figure.change}
                for figure in digest.figures
            },
            "goals": [
                {
                    "goal": each.goal,
                    "team": each.scope.id if each.scope.kind == "team" else None,
                    "attainment": None if each.standing.attainment is None else float(each.standing.attainment),
                    "state": each.standing.state,
                }
                for each in digest.goals
            ],
            "wins": [told_win(win.row, self._names) for win in digest.wins[:LISTED]],
            "won": len(digest.wins),
            "waiting": len(digest.waiting),
            "breached": digest.breached,
        }

    def _period(self, name: str, period: Days) -> str:
        """In which it is to be reached: two goals of one metric differ in nothing else."""
        said = self._words.window(name)
        return self._words.formats.dates(date_of(period.first), date_of(period.last)) if said == name else said

    def _label(self, metric: str) -> str:
        return metric_label(metric, self._words, self._config)

    def _exact(self, value: Exact, unit: str) -> str:
        return self._value(shown(value, unit, Reading(now=0, money_digits=self._digits)), unit)

    def _value(self, value: MetricValue, unit: str) -> str:
        words = self._words
        if value is None:
            return _UNKNOWN
        if unit == "money":
            currency = self._config.organisation.currency
            return words.formats.money(Decimal(str(value)), currency)
        number = float(value)
        if unit == "ratio":
            return words.formats.share(round(number, 4))
        if unit == "seconds":
            return words.formats.duration(round(number))
        return words.number(int(number) if number.is_integer() else round(number, 1))
