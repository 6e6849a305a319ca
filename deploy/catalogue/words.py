"""An entry and its plan in words: what is counted, when, for whom, of which fields, and who counts it.

Owns the words. They are made from the plan itself, so they say what is done and not what was meant.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import yaml

from schemas.catalogue import Metric
from schemas.catalogue.base import Entry
from schemas.catalogue.checking import made_of
from schemas.catalogue.conditions import (
    All,
    AmountAtLeast,
    AtLeast,
    Decimals,
    Else,
    First,
    Flag,
    Gap,
    Is,
    IsSet,
    Later,
    Not,
    Rated,
    Worked,
    canonical,
)
from schemas.catalogue.facts import CLOCK_NAMES, RECORD_FACTS
from schemas.catalogue.funnel import FunnelReader
from schemas.catalogue.paths import LEAD_STEPS, Path
from schemas.catalogue.plan import Credit, Form, Ids, Line, Site, Waiting, plan_of
from schemas.catalogue.versions import Versioned
from schemas.instants import DAY, HOUR, MINUTE, SECOND, format_instant

_GROUPS = {"lead": "responses, in the group of the lead", "thread": "responses, in the group of the thread",
           "customer": "responses, in the group of the customer"}  # fmt: skip
_LONGEST = 3650 * DAY
"""What is longer is no time that something took, but an instant: from then on a version is in force."""
_UNITS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"))


def entry_text(name: str, entry: Entry) -> str:
    """The entry as it would stand in `metrics.yaml`, without its examples."""
    said = _versions_said(entry) if isinstance(entry, Versioned) else _written(entry)
    ordered = {"label": entry.label, "description": entry.description, "unit": entry.unit, "type": entry.type} | said
    return yaml.safe_dump({name: ordered}, sort_keys=False, allow_unicode=True, width=110).rstrip()


def _written(entry: Entry) -> dict[str, Any]:
    said = entry.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"examples"})
    return {name: _with_flags(part) for name, part in said.items()}


def _versions_said(entry: Versioned) -> dict[str, Any]:
    """What all versions have in common, and of each what it has for itself."""
    all_said = [_written(each) for each in entry.entries]
    common = {name: part for name, part in all_said[0].items() if all(said.get(name) == part for said in all_said)}
    versions = [
        {name: part for name, part in (("since", since and since.isoformat()), ("note", note)) if part is not None}
        | {name: part for name, part in said.items() if name not in common}
        for said, since, note in zip(all_said, entry.since, entry.notes, strict=True)
    ]
    return {**common, "versions": versions}


def _with_flags(part: Any) -> Any:
    """As people write it: files are read as text, and `true` is one there."""
    if isinstance(part, dict):
        return {name: _with_flags(inner) for name, inner in part.items()}
    if isinstance(part, list):
        return [_with_flags(inner) for inner in part]
    return part == "true" if part in ("true", "false") else part


NOTHING = "counts nothing: none of what it is from can meet all that it asks for"


def counts_nothing(metric: Metric) -> bool:
    """Whether no row there may ever be counts for it: its conditions contradict each other, or ask for other facts."""
    return not isinstance(metric.reader, FunnelReader) and not plan_of(metric.reader.measures).programs


def plan_words(metric: Metric) -> Iterator[str]:
    """A line for each thing that is counted for a metric, and for what it is made of when it is read."""
    if isinstance(metric.reader, FunnelReader):
        yield from _funnel_words(metric.reader)
        yield from _apart(metric)
        return
    parts = sorted(made_of(metric.entry))
    if parts and metric.entry.type == "conversion":
        yield f"a share of what counts for {', '.join(parts)}"
    elif parts:
        yield f"made when it is read, of {', '.join(parts)}"
    if counts_nothing(metric):
        yield NOTHING
    for fact, program in sorted(plan_of(metric.reader.measures).programs.items()):
        yield f"from {_named(fact)}, counted by {stage_of(fact)}"
        for site in program.sites:
            yield from (f"  {line}" for line in _site(site))
        yield f"  reads {', '.join(sorted(program.reads))}"
    yield from _apart(metric)


def _apart(metric: Metric) -> Iterator[str]:
    """The dimensions by which it is counted, with their labels."""
    for dimension, parts in metric.segments.items():
        yield f"told apart by {dimension}: {', '.join(parts)}"


def stage_of(fact: str) -> str:
    """Who counts a fact."""
    if fact in RECORD_FACTS or fact.partition(".")[0] in RECORD_FACTS:
        return "the ledger, from the record alone"
    return _GROUPS.get(fact.partition(".")[0], "the reader")


def _named(fact: str) -> str:
    """As people know it."""
    clock, stop = CLOCK_NAMES.get(fact, ("", ""))
    if clock:
        return f"lead by the clock {clock}, stopped by {stop}"
    return fact


def _funnel_words(reader: FunnelReader) -> Iterator[str]:
    """Of a funnel its steps, as answers name and label them; how it is counted is the same for all of them."""
    for way in reader.ways:
        path = way.path
        pipeline = f" in pipeline {path.pipeline}" if path.pipeline else ""
        beside = " (and those that name none)" if path.pipeline and path.takes_unsaid else ""
        yield f"from {path.of}, counted by {stage_of(path.of)}"
        yield f"  the steps of a {path.of}{pipeline}{beside}, in their order:"
        yield from (f"    {step}, labelled {way.labels[step]}" for step in path.steps)
        yield f"  {_MODES[path.mode]}"
        credit = way.passed.parts[0].credit
        yield f"  at {_ENTRIES[path.cohort, path.re_entry]}, for {_choice(credit) or 'the organisation'}"
        yield "  what is counted of each step: who entered it, went on, was lost, is open; how long they stayed"
        people = {name for field in credit for name in ([field] if isinstance(field, str) else field)}
        yield f"  reads {', '.join(sorted(people | _fields_of(path)))}"


_MODES = {
    "strict": "strict: a step counts only if all before it were entered, one after the other",
    "visited": "visited: each step counts that was entered",
    "inferred": "inferred: the steps left out between the first and the furthest count too, but not of what was lost",
}
_ENTRIES = {
    ("entered", "first"): "the first entry of the step",
    ("entered", "each"): "every entry of the step",
    ("created", "first"): "created_at, once for each step",
    ("created", "each"): "created_at, once for every entry of a step",
}


def _fields_of(path: Path) -> set[str]:
    """What decides of a deal or lead which steps it has entered, and what has become of it."""
    if path.of == "lead":
        return {*(LEAD_STEPS[step] for step in path.steps), "status"}
    created = {"created_at"} if path.cohort == "created" else set()
    return {"pipeline", "stage", "entered_stage_at", "status", "closed_at", *created}


def _site(site: Site) -> Iterator[str]:
    at = "all the time" if site.at is None else _said(site.at)
    credit = _choice(site.credit)
    for line in site.lines:
        yield f"at {at}, for {credit or 'the organisation'}: {_added(line)}{_where(line)}"


def _choice(fields: Credit) -> str:
    return " or else ".join(field if isinstance(field, str) else " and ".join(field) for field in fields)


def _added(line: Line) -> str:
    found = _amount_of(line)
    return found if line.sign > 0 else f"less {found}"


def _amount_of(line: Line) -> str:
    value = line.value
    if line.form is Form.COUNT:
        return "1"
    if isinstance(value, Ids):
        return f"each of {_choice(value.fields)} once"
    if isinstance(value, Waiting):
        return f"{_said(value.money)}, from {_said(value.over_at)} on, unless {_said(value.until)} is before it"
    words = ", ".join(map(_said, value)) if isinstance(value, tuple) else _said(value)
    if line.form is Form.PENDING:
        return f"1 that waits for the clock ({words})"
    return f"one value of a sample: {words}" if line.form is Form.SAMPLE else words


def _where(line: Line) -> str:
    return "" if line.when is True else f", where {_said(line.when)}"


def _said(part: object) -> str:  # noqa: PLR0911 - a table
    match part:
        case Is(field, text):
            return f"{field} is {text}"
        case Flag(field):
            return field
        case IsSet(names):
            return f"{' or '.join(names)} is set"
        case AtLeast(register, 1) if isinstance(register, Gap | Else):
            return f"{_said(register)} is more than 0"
        case AtLeast(First(names), number) if number > _LONGEST:
            return f"{' or else '.join(names)} is {format_instant(number)} or later"
        case AtLeast(register, number) if number > SECOND and number % SECOND == 1:
            return f"{_said(register)} is more than {_amount(number - 1)}"
        case AtLeast(register, number):
            return f"{_said(register)} is {_amount(number)} or more"
        case AmountAtLeast(field, number, places):
            return f"{field} is {Decimal(number).scaleb(-places).normalize():f} or more"
        case Rated(field, _, _):
            return f"there is a rate for {field}"
    return _joined(part) if isinstance(part, Not | All) else _number(part)


def _joined(part: Not | All) -> str:
    if isinstance(part, All):
        return " and ".join(sorted(f"({_said(each)})" if _is_choice(each) else _said(each) for each in part.parts))
    if isinstance(part.part, All):
        return " or ".join(sorted(map(_said_not, part.part.parts)))
    return _said_not(part.part)


def _number(part: object) -> str:  # noqa: PLR0911 - a table
    match part:
        case First(names):
            return " or else ".join(names)
        case Gap(start, end, _):
            return f"{_said(end)} - {_said(start)}"
        case Else(one, other):
            return f"({_said(one)}, or else {_said(other)})"
        case Later(inner, by):
            return f"{_said(inner)} + {_amount(by)}"
        case Worked(start, end, _):
            return f"{_said(end)} - {_said(start)} in business hours"
        case Decimals():
            number = part.field if part.less is None else f"{part.field} - {part.less}"
            return number if part.currency is None else f"{number} in the organisation's currency"
    return canonical(part)


def _is_choice(part: object) -> bool:
    return isinstance(part, Not) and isinstance(part.part, All)


def _said_not(part: object) -> str:  # noqa: PLR0911 - a table
    match part:
        case Not(inner):
            return _said(inner)
        case IsSet(names):
            return f"{' and '.join(names)} is not set"
        case Is(field, text):
            return f"{field} is not {text}"
        case AtLeast(First(names), number) if number > _LONGEST:
            return f"{' or else '.join(names)} is before {format_instant(number)} or not set"
        case AtLeast(register, number) if number > SECOND and number % SECOND == 1:
            return f"{_said(register)} is not more than {_amount(number - 1)}"
        case AtLeast(register, number):
            return f"{_said(register)} is less than {_amount(number)} or not set"
        case All():
            return f"not ({_said(part)})"
    return f"not {_said(part)}"


def _amount(microseconds: int) -> str:
    for size, unit in _UNITS:
        if microseconds and microseconds % size == 0:
            return f"{microseconds // size} {unit}"
    return str(microseconds)
