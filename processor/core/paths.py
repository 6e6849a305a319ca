"""The rows of a funnel: each entry of a step that counts, by a deal's stages or by what happened to a lead.

Owns the rule: which entries count (`strict`, `visited`, `inferred`; `first`, `each`), when, and what has become of
them. A function of one record, or of one lead with its deals, as they are now.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from processor.core.deals import CLOSED, FactRow
from schemas.catalogue.paths import (
    ADVANCED,
    LEAD_STEPS,
    LOST,
    OPEN,
    PASSED,
    RUNNING,
    STAYED,
    WON,
    Path,
    pack_passed,
    pack_time,
    pack_turn,
)

StageStay = tuple[int, str | None]
"""When a stage was entered, and which; one of no name ends the one before it."""

_NEVER = 2**62


class Entered(NamedTuple):
    """An entry of a step on the way, in the order of their instants."""

    step: int
    at: int
    left_at: int | None = None
    """When that stay ended."""
    lasts: bool = False
    """Whether it goes on."""


class _Counted(NamedTuple):
    """An entry that counts."""

    step: int
    at: int
    outcome: int
    has_reached: bool = False
    stay: Entered | None = None
    """None: it was left out on the way."""


def deal_rows(path: Path, deal: FactRow, joined: Sequence[StageStay]) -> Iterator[FactRow]:
    """The rows of a deal that counts. `joined`: its stays, of neighbours in one stage the first."""
    said, status = deal.get("pipeline"), deal.get("status")
    if path.pipeline is not None and said != path.pipeline and (said is not None or not path.takes_unsaid):
        return
    way = _way_of_deal(path, joined, deal.get("closed_at") if status == WON else None)
    created_at = deal.get("created_at")
    yield from _rows(path, way, deal, created_at, is_lost=status == "lost", is_open=status not in CLOSED)


def _way_of_deal(path: Path, joined: Sequence[StageStay], won_at: int | None) -> list[Entered]:
    places = {stage: place for place, stage in enumerate(path.steps)}
    last = len(path.steps) - 1
    places |= dict.fromkeys(path.won, last)
    way: list[Entered] = []
    for index, (at, stage) in enumerate(joined):
        if stage in places:
            lasts = index + 1 == len(joined)
            way.append(Entered(places[stage], at, None if lasts else joined[index + 1][0], lasts))
    if won_at is not None and all(entered.step != last for entered in way):
        way.append(Entered(last, won_at))
        way.sort(key=lambda entered: entered.at)
    return way


def lead_rows(path: Path, lead: FactRow, statuses: Collection[str | None]) -> Iterator[FactRow]:
    """The rows of a lead. `statuses`: of its deals.

    While its first touch is still to come the reader's clock decides: what the lead is without it holds until then,
    what it is with it from then on.
    """
    coming_at = lead.get("coming_at")
    if coming_at is None:
        yield from _rows_of_lead(path, lead, statuses)
        return
    started_at, due_at = lead.get("started_at"), lead.get("due_at")
    answered = {
        **lead,
        "answered_at": coming_at,
        "response": None if started_at is None else max(0, coming_at - started_at),
        "within_sla": None if due_at is None else coming_at <= due_at,
    }
    for seen, begins in ((lead, False), (answered, True)):
        for row in _rows_of_lead(path, seen, statuses):
            yield from _turning(row, coming_at, begins=begins)


def _turning(row: FactRow, turns_at: int, *, begins: bool) -> Iterator[FactRow]:
    """What a row counts, each as one that counts from an instant on, or until it."""
    counted = {PASSED: row["passed"], STAYED: row["stayed"], RUNNING: row["running"]}
    plain = {**row, "passed": None, "stayed": None, "running": None}
    for what, value in counted.items():
        if value is not None:
            yield {**plain, "turn": pack_turn(what, value, begins=begins), "turns_at": turns_at}


def _rows_of_lead(path: Path, lead: FactRow, statuses: Collection[str | None]) -> Iterator[FactRow]:
    at: dict[int, int] = {
        place: lead[LEAD_STEPS[step]] for place, step in enumerate(path.steps) if lead.get(LEAD_STEPS[step]) is not None
    }
    instants = sorted(set(at.values()))
    ends = dict(pairwise(instants))
    way = [
        Entered(place, entered_at, ends.get(entered_at), entered_at not in ends)
        for place, entered_at in sorted(at.items(), key=lambda entry: (entry[1], entry[0]))
    ]
    ended = {*statuses}
    is_lost = lead.get("status") == "disqualified" or ended == {"lost"}
    is_open = not is_lost and lead.get(LEAD_STEPS[WON]) is None
    yield from _rows(path, way, lead, lead.get("received_at"), is_lost=is_lost, is_open=is_open)


def _rows(
    path: Path, way: Sequence[Entered], row: Mapping[str, Any], created_at: int | None, *, is_lost: bool, is_open: bool
) -> Iterator[FactRow]:
    for counted in _counted(path, way, is_lost=is_lost):
        at = created_at if path.cohort == "created" else counted.at
        step, stay = counted.step, counted.stay
        left_at = None if stay is None else stay.left_at
        runs = stay is not None and stay.lasts and is_open
        yield {
            **row,
            "at": at,
            "passed": pack_passed(step, counted.outcome, has_reached=counted.has_reached),
            "stayed": None if stay is None or left_at is None else pack_time(step, left_at - stay.at),
            "running": pack_time(step, counted.at) if runs else None,
        }


def _counted(path: Path, way: Sequence[Entered], *, is_lost: bool) -> Iterator[_Counted]:
    places: list[list[int]] = [[] for _ in path.steps]
    for place, entered in enumerate(way):
        places[entered.step].append(place)
    is_strict, is_each = path.mode == "strict", path.re_entry == "each"
    counting = _in_turn(places) if is_strict else places
    last = len(places) - 1
    for step, held in enumerate(counting):
        for place in held if is_each else held[:1]:
            after = _until_next(places[step], place, len(way)) if is_each else range(len(way))
            wanted = counting[step + 1 : step + 2] if is_strict else places[step + 1 :]
            has_advanced = step == last or any(each in after for later in wanted for each in later)
            if is_strict:
                has_reached = _passes_all(places[step + 1 :], after, place) if is_each else bool(counting[last])
            else:
                has_reached = step == last or any(each in after for each in places[last])
            outcome = ADVANCED if has_advanced else LOST if is_lost else OPEN
            yield _Counted(step, way[place].at, outcome, has_reached, way[place])
    if path.mode == "inferred" and not is_lost:
        yield from _left_out(places, way)


def _in_turn(places: Sequence[Sequence[int]]) -> list[list[int]]:
    """Of each step its entries after the first that counts of the one before it."""
    found: list[list[int]] = []
    begin = -1
    for held in places:
        found.append([place for place in held if place > begin])
        begin = found[-1][0] if found[-1] else _NEVER
    return found


def _until_next(held: Sequence[int], place: int, size: int) -> range:
    return range(place + 1, next((other for other in held if other > place), size))


def _passes_all(later: Sequence[Sequence[int]], after: range, place: int) -> bool:
    """Whether all later steps were entered in turn, within that part of the way."""
    for held in later:
        found = next((each for each in held if each > place and each in after), None)
        if found is None:
            return False
        place = found
    return True


def _left_out(places: Sequence[Sequence[int]], way: Sequence[Entered]) -> Iterator[_Counted]:
    """The steps between the first and the furthest that were not entered: as if it was with a later one."""
    entered = [step for step, held in enumerate(places) if held]
    for step in range(entered[0], entered[-1]) if entered else ():
        if not places[step]:
            first = min(held[0] for held in places[step + 1 :] if held)
            yield _Counted(step, way[first].at, ADVANCED)
