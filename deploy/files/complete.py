"""`--complete`: a file that is the whole list of a span: what it lacks is no more, and what it has is there again.

Owns the span and what is known of a connection's records, which is read from the log. Nothing is deleted without it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from deploy.files.checking import id_digest
from deploy.files.mapping import FileReading
from deploy.files.problems import UseError
from processor.core.normalise import parse_delivery
from schemas.connectors.base import Connector
from schemas.deliveries import decode_delivery
from schemas.instants import parse_date
from schemas.records import DELETED, FIELDS, FieldType, Record
from schemas.voices import FURTHER
from schemas.windows import Calendar, day_from


@dataclass(frozen=True, slots=True)
class WholeSpan:
    """The span of which the file is the whole list."""

    field: str
    first: int
    end: int
    """Microseconds, exclusive."""


def read_whole(text: str, reading: FileReading, calendar: Calendar) -> WholeSpan:
    """`FIELD=FROM/TO`, days of the organisation, both included. Raises UseError."""
    name, _, span = text.partition("=")
    begin, _, end = span.partition("/")
    record = reading.options.record
    if FIELDS[record].get(name) is not FieldType.INSTANT:
        raise UseError([f"--complete: {name!r} is no instant of a {record}"])
    try:
        first, last = (day_from(parse_date(day.strip())) for day in (begin, end))
    except ValueError as error:
        raise UseError([f"--complete: must be {name}=FROM/TO, such as {name}=2026-03-01/2026-03-31: {error}"]) from None
    if last < first:
        raise UseError(["--complete: ends before it begins"])
    return WholeSpan(name, calendar.day_start(first), calendar.day_start(last + 1))


class KnownRecords:
    """The records of one kind that a connection has spoken of. Fed with the log from its beginning.

    Of each it keeps what is asked: the instant in the span, the deletion, and when something was said last.
    """

    def __init__(self, connection: str, connector: Connector, record: str, field: str) -> None:
        """`field`: the instant of the span."""
        self._connection = connection
        self._connectors = {connection: connector}
        self._record = record
        self._asked = {field, *FURTHER.get(field, ()), DELETED}
        self._records: dict[str, Record] = {}
        self._newest: dict[str, int] = {}

    def take(self, messages: Iterable[bytes | None]) -> None:
        """Some messages of `deliveries`."""
        for message in messages:
            try:
                delivery = decode_delivery(message or b"")
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            if delivery.connection != self._connection:
                continue
            for change in parse_delivery(delivery, self._connectors).changes:
                if change.kind == self._record:
                    id, asked = change.id, {name: change.fields[name] for name in self._asked & change.fields.keys()}
                    self._newest[id] = max(self._newest.get(id, change.changed_at), change.changed_at)
                    self._records.setdefault(id, Record(change.kind)).fold(replace(change, fields=asked))

    def lacking(self, whole: WholeSpan, ids: Iterable[int], namespace: str, as_of: int) -> list[str]:
        """The ids in the span that are none of these (digests of ids), as the connection has them.

        Of what something was said after `as_of`, when the file was true, the file's silence says nothing.
        """
        there = set(ids)
        return [
            own
            for id, own, record in self._under(namespace)
            if not record.is_deleted
            and self._newest[id] <= as_of
            and isinstance(at := record.get(whole.field), int)
            and whole.first <= at < whole.end
            and id_digest(own) not in there
        ]

    def back(self, ids: Iterable[int], namespace: str, as_of: int) -> list[str]:
        """The ids of these that are held to be deleted since before `as_of`, as the connection has them."""
        there = set(ids)
        return [
            own
            for _, own, record in self._under(namespace)
            if record.is_deleted
            and (said := record.entry(DELETED)) is not None
            and said[0] < as_of
            and id_digest(own) in there
        ]

    def _under(self, namespace: str) -> Iterator[tuple[str, str, Record]]:
        """Id, id as the connection has it, record."""
        before = f"{namespace}:" if namespace else ""
        for id, record in sorted(self._records.items()):
            if id.startswith(before):
                yield id, id.removeprefix(before), record
