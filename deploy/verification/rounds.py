"""What a round of the continuous recount looks at, and what counts as a difference while deliveries come in. Pure.

Owns the choice of windows and the judgement of values. Recounts nothing (recount.py) and asks nobody (verifier.py).

    every round   5m … 24h, today, yesterday, week, 7d, and the leads that wait
    in turn       30d, month, quarter, year, spans of four weeks back to where the log begins, and what stands: levels,
                  goals, open deals and leads, which take everything that was ever said
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, TypeVar, cast

from deploy.verification.definitions import Definitions, facts_behind
from deploy.verification.differences import ValueDifference, What, differences
from deploy.verification.lists import GOALS, OPEN_DEALS, OPEN_LEADS, list_differences
from deploy.verification.shapes import ROLLING_MINUTES, RecountedRows, RecountedWindow, Row, Rows
from schemas.instants import DAY
from schemas.verifications import KEPT_FIRST, LEADS, Difference, WindowComparison

LARGEST = 100_000
"""Records that are recounted at once: some hundred megabytes, and less than ten seconds of one core."""
SPAN = 28
LOOKS = 6
"""A value that is not right may only be under way: it is looked at again, so often."""
WRONG = 4
"""A look at a log that stands still proves half of it: nothing was under way. While deliveries come in, a value may be
seen as it was for a moment between two that agree, so four looks have to find it wrong."""

_BACK: Mapping[str, int] = dict.fromkeys(ROLLING_MINUTES, 1) | {
    "today": 1, "yesterday": 2, "week": 7, "7d": 7, "30d": 30, "month": 31, "quarter": 92, "year": 366,
}  # fmt: skip
"""How many days a window reaches back at most."""
_RECENT_DAYS = (7, 2, 1)
"""A floor on which a week is too large has its last two days looked at, or the last one."""
_RECENT = tuple(name for name, back in _BACK.items() if back <= _RECENT_DAYS[0])
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Subject:
    """A window that is compared."""

    name: str
    window: RecountedWindow

    @property
    def parameters(self) -> Mapping[str, str]:
        """How REST is asked for it."""
        if isinstance(self.window, str):
            return {"window": self.window}
        first, last = self.window
        return {"from": first.isoformat(), "to": last.isoformat()}


@dataclass(frozen=True, slots=True)
class RoundPart:
    """Windows that one recount is enough for."""

    subjects: tuple[Subject, ...]
    first: int
    last: int
    """The days of UTC that it has to see, both included; with a day to spare for time zones."""
    is_all: bool = False
    """Whether it has to see everything, whatever days it is of."""

    @property
    def name(self) -> str:
        """Of its longest window, which is its only one where it is looked at in turn."""
        return self.subjects[-1].name


LEVELS = "levels"
STANDING = RoundPart(
    (Subject(LEVELS, "today"), Subject(GOALS, "today"), Subject(OPEN_DEALS, "today"), Subject(OPEN_LEADS, "today")),
    0, 0, is_all=True,
)  # fmt: skip
"""What there is now, and what is to be reached."""


@dataclass(frozen=True, slots=True)
class RoundPlan:
    """What a round looks at."""

    parts: tuple[RoundPart, ...]
    names: frozenset[str]
    """Of all windows that are looked at sooner or later."""
    left_out: tuple[str, ...]
    """What is never looked at: too large, or older than what is kept."""


def kept_since(now: int, retention: int, beginnings: Mapping[int, int], first_at: Mapping[int, int]) -> int:
    """Give the first day of which the log still holds, and the workers still keep, everything; with one to spare.

    `beginnings`: partition -> the first offset that is there; `first_at`: when that delivery came (microseconds).
    """
    held_since = (first_at.get(partition, now) for partition, first in beginnings.items() if first)
    return max([now - retention, *held_since]) // DAY + 2


def plan(
    now: int,
    records: Mapping[int, int],
    since: int,
    found: Mapping[str, WindowComparison],
    too_large: Collection[str] = frozenset(),
    *,
    is_whole: bool = True,
) -> RoundPlan:
    """Choose what to look at. `is_whole`: nothing of the log has expired, so that all there is can be recounted.

    `records`: day of UTC -> records that name an instant in it; `since`: the first day of which nothing has expired;
    `found`: what was compared when; `too_large`: names of parts to which more belongs than their days tell.
    """
    today = now // DAY
    named = {name: _part([name], today - back, today) for name, back in _BACK.items()}
    past = sorted({day // SPAN * SPAN for day in records if 0 <= day // SPAN * SPAN <= today - SPAN}, reverse=True)
    spans = {part.name: part for part in map(_span, past)}

    def can_be(part: RoundPart) -> bool:
        if part.first < since or part.name in too_large:
            return False
        return sum(count for day, count in records.items() if part.first <= day <= part.last) <= LARGEST

    recent: list[RoundPart] = []
    for days in _RECENT_DAYS:
        part = _part([name for name in _RECENT if _BACK[name] <= days], today - days, today)
        if can_be(part):
            recent = [part]
            break
    in_turn = [part for name, part in (named | spans).items() if name not in _RECENT and can_be(part)]
    if is_whole and STANDING.name not in too_large:
        in_turn.append(STANDING)
    looked_at = {subject.name for part in (*recent, *in_turn) for subject in part.subjects}
    return RoundPlan(
        parts=(*recent, *_turn(in_turn, found)),
        names=frozenset(looked_at),
        left_out=tuple(
            name for name in (*named, *spans, *(one.name for one in STANDING.subjects)) if name not in looked_at
        ),
    )


def _turn(parts: Iterable[RoundPart], found: Mapping[str, WindowComparison]) -> list[RoundPart]:
    """The one that has waited longest, and of those in which something was wrong the one that has waited longest."""
    waiting = sorted(parts, key=lambda part: found[part.name].at if part.name in found else 0)
    wrong = [part for part in waiting if part.name in found and found[part.name].differences]
    return list(dict.fromkeys((*waiting[:1], *wrong[:1])))


def _part(names: Iterable[str], first: int, last: int) -> RoundPart:
    return RoundPart(tuple(Subject(name, name) for name in names), first - 1, last + 1)


def _span(first: int) -> RoundPart:
    begin, end = (_EPOCH + timedelta(days=day) for day in (first, first + SPAN - 1))
    return RoundPart((Subject(f"{begin}/{end}", (begin, end)),), first - 1, first + SPAN)


# --- Judging ---------------------------------------------------------------------------------------------------------

_YOUNG = frozenset({"call", "email", "meeting", "activity", "credit"})
"""Facts that are over soon: nothing about them was said long before they count."""
_OF_THE_WHOLE_LOG = frozenset({"level"})
"""What there is now may have begun whenever."""

_Rows = TypeVar("_Rows", bound=Rows)

ValueAsked = tuple[str, What]
"""The name of a subject, and which of its values."""


def of_windows(rows: _Rows, definitions: Definitions, *, is_whole: bool = True) -> _Rows:
    """What can be recounted from the records of some days, all that belongs to them included: no levels.

    From a log whose beginning has expired (not `is_whole`) that is not what leads and deals count, which may be older
    than the log, and of no team: who is in one may have been said before.
    """
    behind = {name: facts_behind(definitions, name) for name in definitions.metrics}
    names = {name for name, facts in behind.items() if (not facts & _OF_THE_WHOLE_LOG if is_whole else facts <= _YOUNG)}

    def some(row: Row) -> Row:
        found: Row = {
            "metrics": {name: value for name, value in row["metrics"].items() if name in names},
            "bounds": {name: bound for name, bound in row["bounds"].items() if name in names},
        }
        if is_whole and "funnels" in row:
            found["funnels"] = row["funnels"]
        return found

    return _narrowed(rows, some, with_teams=is_whole)


def _narrowed(rows: _Rows, some: Callable[[Row], Row], *, with_teams: bool = True) -> _Rows:
    """Some of each row."""
    found: dict[str, Any] = {
        "organisation": some(rows["organisation"]),
        "teams": {team: some(row) for team, row in rows["teams"].items()} if with_teams else {},
        "reps": {rep: some(row) for rep, row in rows["reps"].items()},
    }
    idle = cast(dict[str, Row], rows).get("idle")
    return cast(_Rows, found if idle is None else {**found, "idle": some(idle)})


@dataclass(frozen=True, slots=True)
class Judged:
    """One look at some values."""

    wrong: frozenset[ValueAsked] = frozenset()
    moving: frozenset[ValueAsked] = frozenset()
    """Not as before and not as after, but those two differ as well: perhaps as in between."""

    def __or__(self, other: "Judged") -> "Judged":
        """Both."""
        return Judged(self.wrong | other.wrong, self.moving | other.moving)


def judge(subject: str, before: RecountedRows, after: RecountedRows, served: Rows) -> Judged:
    """Compare what is served with the log as it was before and after that was asked for.

    Everything served has at least the deliveries counted in `before`, and at most those counted in `after`.
    """
    return _judged(
        subject,
        _values(differences(before, served)) & _values(differences(after, served)),
        _values(differences(before, after)),
    )


def judge_leads(before: Mapping[str, object], after: Mapping[str, object], served: Mapping[str, object]) -> Judged:
    """The same for the leads that wait."""
    leads = {*before, *after, *served}
    return _judged(
        LEADS,
        {What("lead", lead, "clock") for lead in leads if served.get(lead) not in (before.get(lead), after.get(lead))},
        {What("lead", lead, "clock") for lead in leads if before.get(lead) != after.get(lead)},
    )


def _judged(subject: str, unexplained: set[What], moved: set[What]) -> Judged:
    return Judged(
        frozenset((subject, value) for value in unexplained - moved),
        frozenset((subject, value) for value in unexplained & moved),
    )


def _values(found: Iterable[ValueDifference]) -> set[What]:
    return {difference.what for difference in found}


def judge_lists(
    subject: str, before: Mapping[What, Any], after: Mapping[What, Any], served: Mapping[What, Any]
) -> Judged:
    """The same for goals and lists of what is open."""

    def differ(one: Mapping[What, Any], other: Mapping[What, Any]) -> set[What]:
        return _values(list_differences(one, other))

    return _judged(subject, differ(before, served) & differ(after, served), differ(before, after))


def level_rows(rows: _Rows, definitions: Definitions) -> _Rows:
    """The levels among them."""
    names = {name for name in definitions.metrics if facts_behind(definitions, name) & _OF_THE_WHOLE_LOG}

    def some(row: Row) -> Row:
        return {"metrics": {name: value for name, value in row["metrics"].items() if name in names}, "bounds": {}}

    return _narrowed(rows, some)


@dataclass(slots=True)
class Suspects:
    """Values that have not been right at any look so far, and how much speaks against each."""

    wrong: dict[ValueAsked, int] | None = field(default=None)

    def look(self, judged: Judged, *, stood_still: bool) -> None:
        """Note one more look at all of them. `stood_still`: nothing was delivered meanwhile."""
        seen = judged.wrong | judged.moving
        held = dict.fromkeys(seen, 0) if self.wrong is None else self.wrong
        weight = WRONG // 2 if stood_still else 1
        self.wrong = {value: count + weight * (value in judged.wrong) for value, count in held.items() if value in seen}

    @property
    def is_settled(self) -> bool:
        """Whether another look would tell nothing new."""
        return self.wrong is not None and all(count >= WRONG for count in self.wrong.values())

    @property
    def subjects(self) -> frozenset[str]:
        """Where there is something to look at again."""
        return frozenset(subject for subject, _ in self.wrong or ())

    def different(self) -> list[ValueAsked]:
        """What is wrong."""
        return sorted(value for value, count in (self.wrong or {}).items() if count >= WRONG)

    def outcome(self, name: str, at: int) -> WindowComparison:
        """What is to be said of a subject."""
        different = sum(1 for subject, _ in self.different() if subject == name)
        suspected = sum(1 for subject, _ in self.wrong or () if subject == name)
        return WindowComparison(name, at, different, suspected - different)


def described(values: Iterable[ValueAsked]) -> list[Difference]:
    """Say what differs, without saying whose it is: each metric once, with one of the windows where it does."""
    found: dict[tuple[str, str], Difference] = {}
    for subject, what in sorted(values):
        found.setdefault((what.scope, what.value), Difference(subject, what.scope, what.value))
    return list(found.values())[:KEPT_FIRST]
