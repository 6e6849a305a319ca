"""Runs the examples of a catalogue: its records through the stream's own core, and the number read off the floor.

Owns the smallest pipeline there is: one partition, no Kafka, no clock. By UTC, the organisation's currency, default
rules and what the file defines. The recount has to come to the same number.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from deploy.verification.definitions import Definitions
from deploy.verification.recount import recount
from processor.core.batch import new_batch
from processor.core.definitions import definitions_of
from processor.core.groups import Groups
from processor.core.ledger import Ledger
from schemas.catalogue.base import MetricValue
from schemas.catalogue.defined import Defined
from schemas.catalogue.examples import Example, Given
from schemas.catalogue.reading import ReadDefinitions
from schemas.config import Config
from schemas.connectors.content import JSON
from schemas.connectors.generic import Generic
from schemas.deliveries import Delivery
from schemas.documents.errors import suggestion
from schemas.floor import ORGANISATION, Floor, Scope, rep_scope, team_scope
from schemas.frames import Engagement, by_group, change_frames, decode_engagements, engagement_frames
from schemas.instants import parse_instant
from schemas.records import FIELDS, FieldType, RecordChange
from schemas.windows import Calendar, Span, date_of, span_between

_CONNECTION = "example"
_SECRET = "whsec_ZXhhbXBsZXMtYXJlLW5vdC1zaWduZWQ="  # noqa: S105 - nothing is signed with it
_WORDS = {FieldType.FLAG: {"true": True, "false": False}}
_PLAIN = frozenset({"SECONDS", "NUMBER"})
"""Kinds of fields that are numbers in JSON: in the file they are the text that was written."""
_NOT_ASKED = object()
_FINE = 3
"""A number that is written with so many decimals or more is a rounded one."""


class Wrong(NamedTuple):
    """An example that does not come out as it says."""

    metric: str
    place: tuple[str | int, ...]
    """In the entry."""
    reason: str


class _GivenError(ValueError):
    """Something that is given cannot be read."""

    def __init__(self, place: tuple[str | int, ...], reason: str) -> None:
        self.place = place
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class ExampleAsked:
    """An example, ready to be counted: by the stream, or by somebody else."""

    changes: list[RecordChange]
    span: Span
    now: int
    scope: Scope


class Trial:
    """The examples of what a file defines."""

    def __init__(self, defined: Defined, currency: str, definitions: Definitions | None = None) -> None:
        """`definitions`: the same, as the recount reads it; None: it is not asked."""
        self._recounted_by = definitions
        self.config = _config(defined, currency)
        self._defined = defined
        self._definitions = definitions_of(self.config)
        self._calendar = Calendar(self.config.organisation.zone, self.config.organisation.first_weekday)
        self._generic = Generic(keys=())

    def wrong(self, metrics: Iterable[str]) -> Iterator[Wrong]:
        """The examples of these metrics that come out otherwise, or cannot be run."""
        for name in metrics:
            for index, example in enumerate(self._defined.metrics[name].examples):
                place = ("examples", index)
                try:
                    asked = self.asked(example)
                    value, recounted = self.value(name, asked), self._recounted(name, asked)
                except _GivenError as error:
                    yield Wrong(name, (*place, *error.place), error.reason)
                else:
                    if not agrees(example.is_, value):
                        yield Wrong(name, (*place, "is"), f"is {_shown(value)}, not {_shown(example.is_)}")
                    elif recounted is not _NOT_ASKED and recounted != value:
                        reason = f"is {_shown(value)} by the stream, and {_shown(recounted)} by the recount: a fault of"
                        yield Wrong(name, (*place, "is"), f"{reason} floorcast, which we would like to hear of")

    def value(self, name: str, asked: ExampleAsked) -> MetricValue:
        """What the stream makes of an example."""
        floor = self._counted(asked.changes, asked.now)
        return floor.values(asked.scope, asked.span, asked.now, [name]).metrics[name]

    def _recounted(self, name: str, asked: ExampleAsked) -> object:
        if self._recounted_by is None:
            return _NOT_ASKED
        books = recount(asked.changes, self.config, self._recounted_by)
        scope = {} if asked.scope.id is None else {asked.scope.kind: asked.scope.id}
        days = date_of(asked.span.first), date_of(asked.span.last)
        return books.metrics(now=asked.now, window=days, **scope)["metrics"][name]

    def asked(self, example: Example) -> ExampleAsked:
        """An example in the terms of the core. Raises _GivenError."""
        try:
            first, last = map(date.fromisoformat, example.window.split("/"))
        except ValueError as error:
            raise _GivenError(("window",), str(error)) from None
        if last < first:
            raise _GivenError(("window",), "ends before it begins")
        span = span_between(first, last)
        now = span.bounds(self._calendar)[1]
        if example.now is not None:
            now = _instant(example.now, ("now",))
        scope = ORGANISATION
        if example.rep is not None:
            scope = rep_scope(example.rep)
        elif example.team is not None:
            scope = team_scope(example.team)
        return ExampleAsked(self._changes(example.given, now), span, now, scope)

    def _changes(self, given: Iterable[Given], now: int) -> list[RecordChange]:
        events = [_event(each, ("given", index)) for index, each in enumerate(given)]
        # Whatever is told is told by then: an example is about what counts, not about when it was heard of.
        heard_at = max([now, *(parse_instant(event["changed_at"]) for event in events)])
        body = json.dumps(events).encode()
        parsed = self._generic.parse_carefully(Delivery(_CONNECTION, heard_at, {"content-type": JSON}, body))
        for problem in parsed.problems:
            raise _GivenError(("given", problem.index or 0), problem.detail)
        for record, field in parsed.unknown:
            raise _GivenError(("given",), f"{record} has no field {field}{suggestion(field, FIELDS.get(record, ()))}")
        return parsed.changes

    def _counted(self, changes: list[RecordChange], now: int) -> Floor:
        ledger, groups = Ledger("ledger.0", self._definitions), Groups("responses.0", self._definitions)
        floor = Floor(self.config)
        waiting: list[Engagement] = []
        log_at = max([now, *(change.received_at for change in changes)])
        for frame in change_frames(changes) if changes else ():
            batch = new_batch()
            batch.add(frame)
            output = ledger.fold(batch, log_at)
            _take(floor, output.panes)
            for key, value in output.roster:
                floor.take_rep(key, value)
            waiting += output.engagements
        while waiting:
            handed_on: list[Engagement] = []
            for _, mine in sorted(by_group(waiting, 1).items()):
                for frame in engagement_frames(mine, log_at, log_at):
                    told = groups.fold(decode_engagements(frame).engagements, log_at)
                    _take(floor, told.panes)
                    handed_on += told.engagements
            waiting = handed_on
        return floor


def _config(defined: Defined, currency: str) -> Config:
    return Config.model_validate(
        {
            "organisation": {"name": "Example", "timezone": "UTC", "currency": currency},
            "connections": {_CONNECTION: {"kind": "generic", "secrets": [_SECRET]}},
        },
        context=ReadDefinitions(defined, []),
    )


def _take(floor: Floor, panes: Iterable[tuple[bytes, bytes | None]]) -> None:
    for key, value in panes:
        floor.take_pane(key, value)


def _event(given: Given, place: tuple[str | int, ...]) -> dict[str, Any]:
    """An event as JSON: what the file says as text is what the field is."""
    if given.record not in FIELDS:
        reason = f"there is no record {given.record}{suggestion(given.record, FIELDS)}"
        raise _GivenError((*place, "record"), reason)
    _instant(given.changed_at, (*place, "changed_at"))
    kinds = FIELDS[given.record]
    event: dict[str, Any] = {"record": given.record, "id": given.id, "changed_at": given.changed_at}
    event["fields"] = {name: _value(kinds.get(name), value) for name, value in given.fields.items()}
    return event if given.deleted is None else event | {"deleted": given.deleted == "true"}


def _value(kind: FieldType | None, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _attribute(inner) for name, inner in value.items()}
    if kind is None or not isinstance(value, str):
        return value
    if kind.name in _PLAIN:
        return _attribute(value)
    return _WORDS.get(kind, {}).get(value, value)


def _attribute(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _instant(text: str, place: tuple[str | int, ...]) -> int:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise _GivenError(place, str(error)) from None


def agrees(written: str | None, value: MetricValue) -> bool:
    """Whether a value is the one that was written: exactly, or to the decimals that were written if these are many."""
    if written is None or value is None:
        return written is None and value is None
    if "/" in written:
        return float(Fraction(written)) == float(value)
    wanted, found = Decimal(written), Decimal(str(value))
    decimals = -int(wanted.as_tuple().exponent)
    return wanted == found or (decimals >= _FINE and round(found, decimals) == wanted)


def _shown(value: object) -> str:
    return "null" if value is None else str(value)
