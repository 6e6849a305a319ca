"""What the log says already, on disk: the records of connections that have an API, and what is still to be asked.

Owns the file. Everything in it but the marks is made from `deliveries` alone, so it may be deleted at any time: it is
made again, and so it is where a connection or the program has changed. Its memory does not grow with the log. Of
telephone numbers it has what is kept of them anywhere.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import msgspec

from processor.core.normalise import parse_delivery
from processor.transport.fetched import Stored
from schemas.connectors.asking import decode_envelope
from schemas.connectors.base import Connector, Parsed
from schemas.deliveries import ASKED, ASKED_AT, BROUGHT_BY, RECONCILIATION, Delivery, decode_delivery
from schemas.frames import record_key
from schemas.instants import DAY, HOUR
from schemas.numbers import NONE_KEPT, PhoneNumbers
from schemas.records import Record, RecordChange, decode_record

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS positions (partition INTEGER PRIMARY KEY, next INTEGER);
CREATE TABLE IF NOT EXISTS records (connection TEXT, key TEXT, row BLOB, PRIMARY KEY (connection, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lookups (
    connection TEXT, object TEXT, id TEXT, first_at INTEGER, wanted_at INTEGER, answered_at INTEGER, partition INTEGER,
    position INTEGER, PRIMARY KEY (connection, object, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pending ON lookups (connection, object, first_at) WHERE wanted_at > answered_at;
CREATE TABLE IF NOT EXISTS missed (
    connection TEXT, record TEXT, hour INTEGER, count INTEGER, PRIMARY KEY (connection, record, hour)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS changed (connection TEXT, hour INTEGER, count INTEGER, PRIMARY KEY (connection, hour))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unseen (connection TEXT, object TEXT, id TEXT, PRIMARY KEY (connection, object, id))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS compared (
    connection TEXT, object TEXT, id TEXT, modified INTEGER, PRIMARY KEY (connection, object, id)
) WITHOUT ROWID;
"""
_ANSWERED_KEPT = 2 * DAY
"""An answer may be read before the question, as they lie in partitions of their own."""
MISSED_KEPT = 31 * DAY
_EVER = -1
"""In place of an hour: all of them."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A record that is to be asked for."""

    object: str
    id: str
    first_at: int
    """When the first delivery came that wants it (microseconds)."""
    partition: int
    offset: int
    """Where that delivery lies."""


class KnownFile:
    """The file. Not safe for several threads or processes: whoever opens it owns it."""

    def __init__(
        self,
        path: Path,
        connectors: Mapping[str, Connector],
        digest: str,
        others: Mapping[str, Connector] = MappingProxyType({}),
        numbers: PhoneNumbers = NONE_KEPT,
    ) -> None:
        """`digest`: of all that decides what the log means; another one than the file's, and it is made anew.

        `others`: connections that have no API; of them only which records they spoke of is known. `numbers`: what is
        kept of telephone numbers.
        """
        self._connectors = connectors
        self._numbers = numbers
        self._others = others
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _TABLES)
        if self.fact("digest") != digest:
            self.forget()
            self.note("digest", digest)
        self._rows: dict[tuple[str, str], Record] = {}

    def forget(self) -> None:
        """Everything that the log says: it is read from its beginning again. How much has changed it does not say."""
        self._file.executescript(
            "DELETE FROM positions; DELETE FROM records; DELETE FROM lookups; DELETE FROM missed; DELETE FROM unseen;"
            "DELETE FROM compared; VACUUM;"
        )

    def close(self) -> None:
        """Write what is left and let go."""
        self._file.close()

    def fact(self, name: str) -> str | None:
        """What was noted under a name."""
        found = self._file.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if found is None else str(found[0])

    def note(self, name: str, value: str | None) -> None:
        """Note something that the log does not say: it may be lost with the file. None: it is so no more."""
        if value is None:
            self._file.execute("DELETE FROM facts WHERE name = ?", (name,))
        else:
            self._file.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def positions(self) -> dict[int, int]:
        """Partition -> the next offset of `deliveries` to be read."""
        return dict(self._file.execute("SELECT partition, next FROM positions"))

    def record(self, connection: str, kind: str, id: str) -> Record | None:
        """What the log says of a record."""
        found = self._file.execute(
            "SELECT row FROM records WHERE connection = ? AND key = ?", (connection, record_key(kind, id))
        ).fetchone()
        return None if found is None else decode_record(found[0])

    def others_know(self, connection: str, kind: str, id: str) -> bool:
        """Whether another connection has ever spoken of a record."""
        others = [name for name in (*self._connectors, *self._others) if name != connection]
        query = f"SELECT 1 FROM records WHERE key = ? AND connection IN ({_marks(others)}) LIMIT 1"  # noqa: S608
        return self._file.execute(query, (record_key(kind, id), *others)).fetchone() is not None

    def ids(self, connection: str, kind: str) -> Iterator[tuple[str, Record]]:
        """All records of a kind, with what is known of each."""
        start = record_key(kind, "")
        query = "SELECT key, row FROM records WHERE connection = ? AND key >= ? AND key < ?"
        for key, row in self._file.execute(query, (connection, start, start[:-1] + chr(ord(start[-1]) + 1))):
            yield key[len(start) :], decode_record(row)

    def has_records(self, connection: str) -> bool:
        """Whether anything is known of it beside its people."""
        query = "SELECT 1 FROM records WHERE connection = ? AND NOT (key >= 'rep|' AND key < 'rep}') LIMIT 1"
        return self._file.execute(query, (connection,)).fetchone() is not None

    def pending(self, connection: str, most: int, *, without: Collection[str] = ()) -> list[Pending]:
        """What is to be asked, what waits longest first; nothing of the objects `without`."""
        query = (
            "SELECT object, id, first_at, partition, position FROM lookups WHERE connection = ? AND "  # noqa: S608
            f"wanted_at > answered_at AND object NOT IN ({_marks(without)}) ORDER BY first_at LIMIT ?"
        )
        return [Pending(*row) for row in self._file.execute(query, (connection, *without, most))]

    def pending_count(self, connection: str) -> int:
        """How many that are."""
        query = "SELECT count(*) FROM lookups WHERE connection = ? AND wanted_at > answered_at"
        return int(self._file.execute(query, (connection,)).fetchone()[0])

    def give_up(self, connection: str, pending: Iterable[Pending]) -> None:
        """Ask for these no more; a delivery that wants one again does, the same one too if it is put through again."""
        self._file.executemany(
            "DELETE FROM lookups WHERE connection = ? AND object = ? AND id = ?",
            [(connection, each.object, each.id) for each in pending],
        )

    def compared(self, connection: str, object: str, ids: Sequence[str]) -> dict[str, int]:
        """Of these, when those were modified last that were compared already."""
        query = f"SELECT id, modified FROM compared WHERE connection = ? AND object = ? AND id IN ({_marks(ids)})"  # noqa: S608
        return dict(self._file.execute(query, (connection, object, *ids)))

    def note_compared(
        self, connection: str, object: str, found: Sequence[tuple[str, int]], *, at: int, forget: int
    ) -> None:
        """Note that these were compared then, as of their modification; forget what was modified before `forget`.

        They count as changed when they are compared, as what is missed does: else a share would be of other records.
        """
        self._file.execute("BEGIN")
        self._file.execute(
            "INSERT INTO changed VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
            (connection, at // HOUR, len(found)),
        )
        self._file.execute("DELETE FROM changed WHERE hour < ?", ((forget - MISSED_KEPT) // HOUR,))
        self._file.executemany(
            "INSERT OR REPLACE INTO compared VALUES (?, ?, ?, ?)",
            [(connection, object, id, modified) for id, modified in found],
        )
        self._file.execute(
            "DELETE FROM compared WHERE connection = ? AND object = ? AND modified < ?", (connection, object, forget)
        )
        self._file.execute("COMMIT")

    def missed(self, connection: str, since: int) -> dict[str, int]:
        """Record kind -> how many a reconciliation since then has brought."""
        query = "SELECT record, sum(count) FROM missed WHERE connection = ? AND hour >= ? GROUP BY record"
        return dict(self._file.execute(query, (connection, since // HOUR)))

    def ever_missed(self, connection: str) -> dict[str, int]:
        """The same since the log began."""
        query = "SELECT record, count FROM missed WHERE connection = ? AND hour = ?"
        return dict(self._file.execute(query, (connection, _EVER)))

    def changed(self, connection: str, since: int) -> int:
        """How many records have changed since then, as far as reconciliations saw them."""
        query = "SELECT sum(count) FROM changed WHERE connection = ? AND hour >= ?"
        return int(self._file.execute(query, (connection, since // HOUR)).fetchone()[0] or 0)

    def unseen_count(self, connection: str) -> int:
        """How many records were asked for and not there, whatever was said of them since."""
        query = "SELECT count(*) FROM unseen WHERE connection = ?"
        return int(self._file.execute(query, (connection,)).fetchone()[0])

    def unseen(self, connection: str) -> list[tuple[str, str]]:
        """Object and id of each of them."""
        return list(self._file.execute("SELECT object, id FROM unseen WHERE connection = ?", (connection,)))

    def read(self, delivery: Delivery) -> Parsed:
        """What a delivery says, as it would be known."""
        parsed = parse_delivery(delivery, self._connectors)
        parsed.changes = self._numbers.hidden(delivery.connection, parsed.changes)
        return parsed

    def apply(self, partition: int, records: Sequence[Stored]) -> None:
        """Take in more of the log: all of it, or nothing."""
        self._file.execute("BEGIN IMMEDIATE")
        newest = 0
        for record in records:
            try:
                delivery = decode_delivery(record.value or b"")
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            if delivery.connection in self._others:
                spoken_of = parse_delivery(delivery, self._others).changes
                self._file.executemany(
                    "INSERT OR IGNORE INTO records VALUES (?, ?, x'')",
                    {(delivery.connection, record_key(change.kind, change.id)) for change in spoken_of},
                )
            elif delivery.connection in self._connectors:
                newest = max(newest, delivery.received_at)
                parsed = self.read(delivery)
                self._fold(delivery.connection, parsed.changes)
                self._answer(delivery)
                if delivery.headers.get(BROUGHT_BY) not in ASKED:
                    self._want(delivery, parsed, partition, record.offset)
        for (connection, key), row in self._rows.items():
            self._file.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (connection, key, row.encode()))
        self._rows.clear()
        self._file.execute("INSERT OR REPLACE INTO positions VALUES (?, ?)", (partition, records[-1].offset + 1))
        self._file.execute(
            "DELETE FROM lookups WHERE answered_at >= wanted_at AND answered_at < ?", (newest - _ANSWERED_KEPT,)
        )
        self._file.execute("DELETE FROM missed WHERE hour BETWEEN 0 AND ?", ((newest - MISSED_KEPT) // HOUR,))
        self._file.execute("COMMIT")

    def _fold(self, connection: str, changes: Iterable[RecordChange]) -> None:
        for change in changes:
            key = (connection, record_key(change.kind, change.id))
            held = self._rows.get(key)
            if held is None:
                found = self.record(connection, change.kind, change.id)
                held = self._rows[key] = Record(change.kind) if found is None else found
            held.fold(change)

    def _want(self, delivery: Delivery, parsed: Parsed, partition: int, offset: int) -> None:
        self._file.executemany(
            "INSERT INTO lookups VALUES (?, ?, ?, ?, ?, 0, ?, ?) ON CONFLICT DO UPDATE SET "
            "first_at = CASE WHEN wanted_at > answered_at THEN min(first_at, excluded.first_at) "
            "ELSE excluded.first_at END, wanted_at = max(wanted_at, excluded.wanted_at), "
            "partition = excluded.partition, position = excluded.position",
            [
                (delivery.connection, object, id, delivery.received_at, delivery.received_at, partition, offset)
                for object, id in dict.fromkeys(parsed.lookups)
            ],
        )

    def _answer(self, delivery: Delivery) -> None:
        source = delivery.headers.get(BROUGHT_BY)
        if source not in ASKED:
            return
        try:
            envelope, asked_at = decode_envelope(delivery.body), int(delivery.headers[ASKED_AT])
        except (msgspec.MsgspecError, ValueError, KeyError):
            return
        connection, object = delivery.connection, envelope.object
        told = [str(record["id"]) for record in envelope.records if "id" in record]
        self._file.executemany(
            "INSERT INTO lookups VALUES (?, ?, ?, 0, 0, ?, 0, 0) ON CONFLICT DO UPDATE SET "
            "answered_at = max(answered_at, excluded.answered_at)",
            [(connection, object, id, asked_at) for id in (*told, *envelope.missing)],
        )
        self._file.executemany(
            "INSERT OR IGNORE INTO unseen VALUES (?, ?, ?)", [(connection, object, id) for id in envelope.missing]
        )
        self._file.executemany(
            "DELETE FROM unseen WHERE connection = ? AND object = ? AND id = ?",
            [(connection, object, id) for id in (*told, *envelope.gone)],
        )
        if source == RECONCILIATION:
            record, count = delivery.headers.get(MISSED), len(told) + len(envelope.gone)
            if record is not None:
                self._file.executemany(
                    "INSERT INTO missed VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
                    [(connection, record, hour, count) for hour in (delivery.received_at // HOUR, _EVER)],
                )


def _marks(values: Collection[str]) -> str:
    return ",".join("?" * len(values))


MISSED = "floorcast-record"
"""Header of a delivery of reconciliation: the kind of the records that no webhook has brought."""
