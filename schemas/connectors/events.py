"""The way from a delivery of JSON to changes, which the connectors to CRMs have in common.

Owns the loop over the events of a delivery and what becomes of one that cannot be read. What an event says is the
connector's: it gives statements, in the order in which the event says them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.connectors.base import MAX_EVENTS, Parsed, PlacedError, runs_ahead
from schemas.connectors.fields import FieldError, ReadChange, count_of, read_change
from schemas.connectors.json_text import NotJsonError, Unreadable, read_items
from schemas.deliveries import Delivery
from schemas.instants import checked, parse_instant
from schemas.records import at_place


@dataclass(frozen=True, slots=True)
class Statement:
    """What an event says of one record: the input of a change."""

    kind: str
    record_id: Any
    at: int
    """The version (microseconds)."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    deleted: bool | None = None
    yields: int = 0
    """How much older its version is made: what is merely concluded yields to what is said."""
    place: int = 0
    """Of what is said of one instant, what has the higher place was said later (0 to `MAX_PLACE`)."""
    source: str = ""
    """What the vendor calls that which says it: named in place of a field that cannot be read. Empty: as ours."""


def gone(kind: str, record_id: Any, at: int) -> Statement:
    """What is said of a record that the CRM has deleted. Whoever has left has done what they have done."""
    if kind == "rep":
        return Statement(kind, record_id, at, {"active": False})
    return Statement(kind, record_id, at, deleted=True)


class ShapeError(PlacedError, ValueError):
    """An event that is not what the vendor documents. The message names the member."""


UNKNOWN_TYPE = "unknown_type"


class LeftOutError(Exception):
    """An event that is left out on purpose."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


Statements = Callable[[Mapping[str, Any], Parsed], Iterable[Statement]]
"""An event -> what it says. Raises ShapeError, LeftOutError, FieldError."""


def read_events(delivery: Delivery, statements: Statements, *, namespace: str, clock: str) -> Parsed:
    """Every event of a delivery of JSON: an array of them, or one alone. `clock` names the member of their version."""
    parsed = Parsed()
    for index, event in events_of(delivery, parsed):
        if isinstance(event, dict):
            read_event(event, index, statements, parsed, delivery.received_at, namespace=namespace, clock=clock)
        else:
            parsed.refuse("bad_shape", "event: must be an object", index)
    return parsed


def events_of(delivery: Delivery, parsed: Parsed) -> Iterator[tuple[int, Any]]:
    """The events of a body of JSON with their places; `parsed` is told of what cannot be read."""
    try:
        body = read_items(delivery.body, MAX_EVENTS)
    except NotJsonError as error:
        parsed.refuse("not_json", f"body: {error}")
        return
    events = body if isinstance(body, list) else [body]
    if len(events) > MAX_EVENTS:
        parsed.refuse("bad_shape", f"body: holds more than {MAX_EVENTS} events")
        return
    for index, event in enumerate(events):
        if isinstance(event, Unreadable):
            parsed.refuse(event.reason, event.detail, index)
        else:
            yield index, event


def read_event(
    event: Mapping[str, Any],
    index: int,
    statements: Statements,
    parsed: Parsed,
    received_at: int,
    *,
    namespace: str,
    clock: str,
) -> None:
    """Put what one event says into `parsed`: all of it, or that it cannot be read."""
    counted = sum(parsed.ignored.values())
    try:
        said = list(statements(event, parsed))
        if any(runs_ahead(statement.at, received_at) for statement in said):
            parsed.refuse("clock_ahead", f"{clock}: is more than 24 h ahead of its delivery", index)
            return
        readings = [_read(statement, received_at, namespace) for statement in said]
    except LeftOutError as left_out:
        parsed.ignore(left_out.reason)
    except ShapeError as error:
        parsed.refuse("bad_shape", str(error), index)
    except FieldError as error:
        parsed.refuse("bad_shape" if error.field == "id" else "bad_field", str(error), index)
    except Exception as error:  # noqa: BLE001 - a connector's own fault
        parsed.fail(error, index)
    else:
        if not readings and sum(parsed.ignored.values()) == counted:
            parsed.ignore("no_fields")  # no event goes uncounted
        for statement, reading in zip(said, readings, strict=True):
            parsed.ignore("rounded", reading.rounded)
            change = at_place(reading.change, statement.place) if statement.place else reading.change
            parsed.accept(change, index, field=clock)


def _read(statement: Statement, received_at: int, namespace: str) -> ReadChange:
    try:
        return read_change(
            kind=statement.kind,
            record_id=statement.record_id,
            changed_at=statement.at - statement.yields,
            raw=statement.fields,
            received_at=received_at,
            namespace=namespace,
            deleted=statement.deleted,
            takes_voices=True,
        )
    except FieldError as error:
        if not statement.source:
            raise
        raise FieldError(statement.source, error.problem) from None


def object_member(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A member that must be an object. Raises ShapeError."""
    found = event.get(name)
    if not isinstance(found, dict):
        raise ShapeError(name, "is missing or not an object")
    return found


def text_member(event: Mapping[str, Any], name: str) -> str:
    """A member that must be text. Raises ShapeError."""
    found = event.get(name)
    if not isinstance(found, str) or not found:
        raise ShapeError(name, "is missing or not text")
    return found


def own_id(value: Any, name: str) -> str:
    """The id of the object an event speaks of. Raises ShapeError."""
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise ShapeError(name, "is missing or not an id")
    return str(value)


def whole_number(value: Any, name: str, *, per_second: int) -> int:
    """A version that is counted from 1970, in microseconds. Raises ShapeError."""
    number = count_of(value)
    if number is None:
        raise ShapeError(name, "is missing or not a whole number")
    try:
        return checked(number * 1_000_000 // per_second)
    except ValueError as error:
        raise ShapeError(name, str(error)) from None


def instant_member(text: str | None, name: str) -> int:
    """A version that is written as RFC 3339 has it. Raises ShapeError."""
    if not text or not text.isascii():
        raise ShapeError(name, "is missing or not an instant")
    try:
        return parse_instant(text)
    except ValueError as error:
        raise ShapeError(name, str(error)) from None
