"""What the log said, kept on disk so that any few days of it can be recounted without reading it again.

Owns which records a recount of some days, or of some leads, has to see. It may give more than needed, never less: a
record counts on a day only by an instant that one of its changes named, a mail together with its thread, a lead
together with those merged into it and with all that touched any of them. Counts nothing; shares no code with the
stream.

    moment   day ▶ records that name an instant in it        link     lead ▶ records that ever named it
    change   record ▶ its changes, each version once         named    thread, customer, number ▶ mails that were ever in
                                                                      it, subscriptions of theirs, calls that had it
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from deploy.verification.bounds import reached
from schemas.instants import DAY
from schemas.records import FIELDS, FieldType, RecordChange

_SIGNED = 1 << 63
"""SQLite's integers have a sign, digests have none."""
_CACHE_KIB = 16 * 1024
_TABLES = """
CREATE TABLE change (kind TEXT, id TEXT, changed_at INT, digest INT, body BLOB,
    PRIMARY KEY (kind, id, changed_at, digest)) WITHOUT ROWID;
CREATE TABLE moment (day INT, kind TEXT, id TEXT, PRIMARY KEY (day, kind, id)) WITHOUT ROWID;
CREATE TABLE link (lead TEXT, kind TEXT, id TEXT, PRIMARY KEY (lead, kind, id)) WITHOUT ROWID;
CREATE INDEX link_of ON link (kind, id);
CREATE TABLE named (name TEXT, kind TEXT, id TEXT, PRIMARY KEY (kind, name, id)) WITHOUT ROWID;
CREATE INDEX named_of ON named (kind, id);
CREATE TABLE fresh (lead TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_INSTANTS = {
    kind: tuple(name for name, field_type in fields.items() if field_type is FieldType.INSTANT)
    for kind, fields in FIELDS.items()
}
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(RecordChange).decode

_SAID = frozenset({"rep", "status", "stage"})
"""What may have happened when it was said: a lead was handed over or judged, a deal closed or moved on."""
_OF_PEOPLE = ("rep", "absence")
_POINTERS = {"email": "thread", "subscription": "customer", "call": "number"}
"""Kind of record -> what such records belong together by."""

_Key = tuple[str, str]
"""Kind and id of a record."""


class TooManyRecordsError(Exception):
    """More records belong together than are recounted at once."""


class KeptChanges:
    """All changes read so far. The file has no name and is gone with the process, however that ends.

    `most`: how many records are given at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._people: list[RecordChange] | None = None
        self.newest_at: int | None = None
        """The newest receipt of a change (microseconds)."""
        self.oldest_at = 0
        """The oldest one; 0 where there is none."""
        # An empty name: SQLite's own temporary file, in the folder that SQLITE_TMPDIR names.
        self._disk = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for setting in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_CACHE_KIB}"):
            self._disk.execute(f"PRAGMA {setting}")
        self._disk.executescript(_TABLES)

    def close(self) -> None:
        """Forget everything."""
        self._disk.close()

    def add(self, changes: Sequence[RecordChange]) -> None:
        """Take changes in, in any order and however often they come."""
        if not changes:
            return
        receipts = [change.received_at for change in changes]
        self.oldest_at = min(receipts) if self.newest_at is None else min(self.oldest_at, *receipts)
        self.newest_at = max(self.newest_at or 0, *receipts)
        if any(change.kind in _OF_PEOPLE for change in changes):
            self._people = None
        write = self._disk.executemany
        self._disk.execute("BEGIN")
        self._count += write(
            "INSERT OR IGNORE INTO change VALUES (?, ?, ?, ?, ?)",
            ((c.kind, c.id, c.changed_at, c.digest - _SIGNED, _encode(c)) for c in changes),
        ).rowcount
        write("INSERT OR IGNORE INTO moment VALUES (?, ?, ?)", (row for c in changes for row in _moments(c)))
        write("INSERT OR IGNORE INTO link VALUES (?, ?, ?)", (row for c in changes for row in _links(c)))
        write("INSERT OR IGNORE INTO named VALUES (?, ?, ?)", (row for c in changes for row in _names(c)))
        # Also the leads that a record has left: it stopped their clocks until now.
        write(
            "INSERT OR IGNORE INTO fresh SELECT lead FROM link WHERE kind = ? AND id = ?",
            {(c.kind, c.id) for c in changes},
        )
        if any(change.kind == "rep" for change in changes):
            # Who is in which team says by which rule any lead is measured.
            self._disk.execute("INSERT OR IGNORE INTO fresh SELECT id FROM link WHERE kind = 'lead'")
        self._disk.execute("COMMIT")

    def __len__(self) -> int:
        return self._count

    def records_by_day(self) -> dict[int, int]:
        """Day (since 1970, of UTC) -> how many records name an instant in it."""
        return dict(self._rows("SELECT day, COUNT(*) FROM moment GROUP BY day"))

    def between(self, first: int, last: int) -> Iterator[RecordChange]:
        """Give all changes that a recount of these days must see; days of UTC, both included.

        What belongs to the leads that a record of these days names is among them: a lead counts where it was won too.
        Raises TooManyRecordsError.
        """
        query = "SELECT kind, id FROM moment WHERE day BETWEEN ? AND ?"
        records = self._bounded(set(), self._rows(query, first, last))
        for kind in _POINTERS:
            records = self._bounded(records, self._beside(kind, {id for of, id in records if of == kind}))
        leads = {
            lead for key in records for (lead,) in self._rows("SELECT lead FROM link WHERE kind = ? AND id = ?", *key)
        }
        yield from self._changes(self._around(leads, records))

    def around(self, leads: Iterable[str]) -> Iterator[RecordChange]:
        """Give all changes that a recount of these leads' clocks must see. Raises TooManyRecordsError."""
        yield from self._changes(self._around(leads, set()))

    def people(self) -> list[RecordChange]:
        """Give all that was said of reps, and when they are away: every recount sees it."""
        if self._people is None:
            self._people = [
                _decode(body)
                for kind in _OF_PEOPLE
                for (body,) in self._rows("SELECT body FROM change WHERE kind = ?", kind)
            ]
        return self._people

    def goals(self) -> list[RecordChange]:
        """Give all that was said of the amounts of goals."""
        return [_decode(body) for (body,) in self._rows("SELECT body FROM change WHERE kind = 'goal'")]

    def everything(self) -> Iterator[RecordChange]:
        """Give all changes. Raises TooManyRecordsError."""
        keys = self._rows("SELECT DISTINCT kind, id FROM change")
        yield from self._changes(self._bounded(set(), keys))

    def records_in_turn(self, most: int) -> Iterator[list[RecordChange]]:
        """Give all records but those of people, with all their changes, about so many records at a time."""
        keys = self._rows("SELECT DISTINCT kind, id FROM change WHERE kind NOT IN (?, ?)", *_OF_PEOPLE)
        while some := keys.fetchmany(most):
            yield list(self._told(some))

    def groups_in_turn(self, kind: str, most: int) -> Iterator[tuple[list[str], list[RecordChange]]]:
        """Give all groups of a kind, some at a time, with the changes of all that a recount of them must see."""
        if kind == "lead":
            yield from self._leads_in_turn(most)
            return
        of = next(of for of, pointer in _POINTERS.items() if pointer == kind)
        sizes = self._rows("SELECT name, COUNT(*) FROM named WHERE kind = ? GROUP BY name ORDER BY name", of)
        for names in _filled(sizes, most):
            yield names, list(self._told({key for name in names for key in self._named(of, name)}))

    def _leads_in_turn(self, most: int) -> Iterator[tuple[list[str], list[RecordChange]]]:
        """Give all leads, some at a time, with the changes of all that a recount of their clocks must see."""
        self._disk.execute("CREATE TEMP TABLE IF NOT EXISTS ahead (lead TEXT PRIMARY KEY) WITHOUT ROWID")
        self._disk.execute("INSERT OR IGNORE INTO ahead SELECT lead FROM link")
        while True:
            leads: set[str] = set()
            records: set[_Key] = set()
            while len(records) < most:
                first = self._rows("SELECT lead FROM ahead LIMIT 1").fetchone()
                if first is None:
                    break
                together = self.merged_with(first)
                leads |= together
                records = self._around(together, records)
                self._disk.executemany("DELETE FROM ahead WHERE lead = ?", ((lead,) for lead in together))
            if not leads:
                return
            yield sorted(leads), list(self._told(records))

    def of_same_numbers(self, changes: Iterable[RecordChange]) -> list[RecordChange]:
        """Give what was said of calls that ever had a number that a call of these changes had."""
        return list(self._told(set(self._beside("call", {one.id for one in changes if one.kind == "call"}))))

    def _beside(self, kind: str, ids: Iterable[str]) -> Iterator[_Key]:
        """All records of a kind that ever had a name which one of these had."""
        query = "SELECT name FROM named WHERE kind = ? AND id = ?"
        for name in {name for id in ids for (name,) in self._rows(query, kind, id)}:
            yield from self._named(kind, name)

    def _named(self, kind: str, name: str) -> Iterator[_Key]:
        return ((kind, id) for (id,) in self._rows("SELECT id FROM named WHERE kind = ? AND name = ?", kind, name))

    def _told(self, records: Iterable[_Key]) -> Iterator[RecordChange]:
        for kind, id in records:
            for (body,) in self._rows("SELECT body FROM change WHERE kind = ? AND id = ?", kind, id):
                yield _decode(body)

    def merged_with(self, leads: Iterable[str]) -> set[str]:
        """These leads and all that were ever merged with any of them."""
        of_leads = "FROM link WHERE kind = 'lead' AND"
        either = f"SELECT id {of_leads} lead = ? UNION SELECT lead {of_leads} id = ?"
        return reached(leads, lambda lead: (other for (other,) in self._rows(either, lead, lead)))

    def take_fresh_leads(self, most: int) -> list[str]:
        """Leads about which something new was said since they were last taken; some of them if there are many."""
        found = [lead for (lead,) in self._rows("SELECT lead FROM fresh LIMIT ?", most)]
        self._disk.executemany("DELETE FROM fresh WHERE lead = ?", ((lead,) for lead in found))
        return found

    def _around(self, leads: Iterable[str], records: set[_Key]) -> set[_Key]:
        for lead in self.merged_with(leads):
            records = self._bounded(records, self._rows("SELECT kind, id FROM link WHERE lead = ?", lead))
        return records

    def _bounded(self, records: set[_Key], more: Iterable[_Key]) -> set[_Key]:
        """Add to the records; a CRM may say of everything that it belongs to the same lead or thread."""
        for record in more:
            records.add(record)
            if len(records) > self._most:
                raise TooManyRecordsError
        return records

    def _changes(self, records: Iterable[_Key]) -> Iterator[RecordChange]:
        yield from self.people()
        yield from self._told(key for key in records if key[0] not in _OF_PEOPLE)

    def _rows(self, query: str, *values: str | int) -> sqlite3.Cursor:
        return self._disk.execute(query, values)


def _filled(sizes: Iterable[tuple[str, int]], most: int) -> Iterator[list[str]]:
    """Names in lists that are about so large together."""
    names: list[str] = []
    total = 0
    for name, size in sizes:
        names.append(name)
        total += size
        if total >= most:
            yield names
            names, total = [], 0
    if names:
        yield names


def _moments(change: RecordChange) -> Iterator[tuple[int, str, str]]:
    names = _INSTANTS.get(change.kind, ())
    for name, instant in change.fields.items():
        if name.partition("#")[0] in names and isinstance(instant, int):
            yield instant // DAY, change.kind, change.id
    if change.kind in {"lead", "deal"} and not _SAID.isdisjoint(name.partition("#")[0] for name in change.fields):
        yield change.changed_at // DAY, change.kind, change.id


def _names(change: RecordChange) -> Iterator[tuple[str, str, str]]:
    name = change.fields.get(_POINTERS.get(change.kind, ""))
    if isinstance(name, str):
        yield name.partition("@")[0] if change.kind == "call" else name, change.kind, change.id


def _links(change: RecordChange) -> Iterator[tuple[str, str, str]]:
    if change.kind == "lead":
        yield change.id, "lead", change.id
    lead = change.fields.get("merged_into" if change.kind == "lead" else "lead")
    if isinstance(lead, str):
        yield lead, change.kind, change.id
    contacts = change.fields.get("contacts")
    for contact in contacts if isinstance(contacts, list) else ():
        yield contact, change.kind, change.id
