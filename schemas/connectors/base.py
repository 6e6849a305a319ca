"""What every connector is: a pair of pure functions, `verify` on the raw request and `parse` on the stored delivery.

Owns the protocol and its values. Knows no vendor; the registry is in `__init__.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from schemas.deliveries import Delivery
from schemas.instants import DAY, MINUTE
from schemas.records import RecordChange

CLOCK_AHEAD = DAY
"""A `changed_at` further ahead of its delivery than this is a dead letter: it would win over every later edit."""

MAX_EVENTS = 16_384
"""More than the readable events that fit into a delivery of 1 MiB, so only a body of junk comes near it."""


MAX_UNKNOWN = 64
"""Characters of an unknown name that are told."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """An HTTP request as it came, before anything is read from its body."""

    method: str
    url: str
    """What the CRM signed: the configured public URL with the path and query of the request."""
    headers: Mapping[str, str]
    """Lower-case names."""
    body: bytes


class PlacedError(Exception):
    """An error whose message says where (a header, a member) and what is wrong there, and never what stands there."""

    def __init__(self, *said: str) -> None:
        """The place, if there is one, and the problem."""
        super().__init__(": ".join(said))


class SignatureError(PlacedError):
    """The request does not prove where it comes from. The message names the header or rule, never the secret."""


class ContentTypeError(PlacedError):
    """A content type that this kind of connection does not take (answered 415)."""


TOLERANCE = 5 * MINUTE
"""How far a sender's clock may be off, both ways: later replays are refused, and so are requests kept for later."""


def check_near(at: int, now: int, header: str) -> None:
    """Raise SignatureError unless a request was signed near `now`, by the instant in this header."""
    if abs(now - at) > TOLERANCE:
        raise SignatureError(header, "is more than 5 minutes away from now")


class SecretError(ValueError):
    """A configured secret that cannot be a key. `setting` names it (`secrets[1]`); the message never repeats it."""

    def __init__(self, setting: str, problem: str) -> None:
        self.setting = setting
        self.problem = problem
        super().__init__(f"{setting}: {problem}")


@dataclass(frozen=True, slots=True)
class Problem:
    """An event that nobody could read, for `dead-letters`."""

    reason: str
    """A word from a closed list: `not_json`, `bad_shape`, `bad_field`, `clock_ahead`; `unreadable`: our own fault."""
    detail: str
    """One line that names the field; never a value."""
    index: int | None = None
    """Position of the event in the delivery, from 0."""


class Parsed(msgspec.Struct):
    """What a delivery says. A Struct, for it is made with six empty ones of these for every delivery."""

    changes: list[RecordChange] = []
    problems: list[Problem] = []
    ignored: dict[str, int] = {}
    """What was left out on purpose, by reason.

    `unknown_kind`, `unknown_type`, `unknown_field`; `unmapped_value`: a vendor's word without a counterpart here;
    `redacted`: hidden by the vendor; `test_event`: a vendor's test button; `no_fields`: says nothing of what we know;
    `rounded`: a number with more digits after the point than are kept; `not_done`: planned, a draft, not there yet;
    `needs_lookup`: an event that names a record and does not say what it is now.
    """
    unmapped: dict[tuple[str, str, str], int] = {}
    """(kind of record, field, the vendor's word without a counterpart): how often."""
    lookups: list[tuple[str, str]] = []
    """(the vendor's kind of object, its id) of what only a look-up would tell."""
    unknown: dict[tuple[str, str], int] = {}
    """(kind of record, name of a field that it does not have): how often. A kind that there is not stands in both."""

    def ignore(self, reason: str, count: int = 1) -> None:
        """Count what is left out on purpose."""
        if count:
            self.ignored[reason] = self.ignored.get(reason, 0) + count

    def ignore_unknown(self, record: str, name: str) -> None:
        """Count a field, or with `record` as its name a kind of record, that floorcast does not know."""
        self.ignore("unknown_kind" if record == name else "unknown_field")
        named = (_shown(record), _shown(name))
        self.unknown[named] = self.unknown.get(named, 0) + 1

    def ignore_unmapped(self, record: str, field: str, word: object) -> None:
        """Count a word of the CRM that has no counterpart here. Of a list or an object nothing is told."""
        self.ignore("unmapped_value")
        named = (record, field, _shown(str(word) if isinstance(word, str | int | float) else "(no word)"))
        self.unmapped[named] = self.unmapped.get(named, 0) + 1

    def want(self, kind: str, id: str) -> None:
        """Note an object of the CRM that only a look-up would tell of."""
        self.ignore("needs_lookup")
        self.lookups.append((_shown(kind), _shown(id)))

    def refuse(self, reason: str, detail: str, index: int | None = None) -> None:
        """Note an event, or without `index` the whole delivery, that cannot be read."""
        self.problems.append(Problem(reason, detail, index))

    def fail(self, error: Exception, index: int | None = None) -> None:
        """Note that the connector itself failed with an event: a fault in it costs that event and no other."""
        self.refuse("unreadable", f"the connector failed with {type(error).__name__}", index)

    def accept(self, change: RecordChange, index: int, *, field: str = "changed_at") -> None:
        """Take a change; refuse it for a clock that runs ahead of its delivery; leave out one that sets nothing."""
        if runs_ahead(change.changed_at, change.received_at):
            self.refuse("clock_ahead", f"{field}: is more than 24 h ahead of its delivery", index)
        elif not change.fields:
            self.ignore("no_fields")
        else:
            self.changes.append(change)


def _shown(name: str) -> str:
    """A name from outside as it may stand in a list: short, and of what can be shown."""
    short = name[:MAX_UNKNOWN]
    return short if short.isprintable() else "".join(sign if sign.isprintable() else "?" for sign in short)


def runs_ahead(changed_at: int, received_at: int) -> bool:
    """Whether a change claims to come from a future that no clock error explains."""
    return changed_at > received_at + CLOCK_AHEAD


class Connector(Protocol):
    """One CRM's way of signing and speaking. Pure: no network, no clock, no state."""

    @property
    def namespace(self) -> str:
        """What goes before ids, with a colon; empty: nothing."""

    @property
    def currency(self) -> str | None:
        """Of amounts beside which the CRM names none; None: the organisation's."""

    @property
    def kept_headers(self) -> frozenset[str]:
        """Lower-case names of the headers that `parse` reads: these are stored with the delivery, no others."""

    def verify(self, request: SignedRequest, now: int) -> None:
        """Raise SignatureError or ContentTypeError unless the request is authentic and fresh at `now`."""

    def parse(self, delivery: Delivery) -> Parsed:
        """Everything readable in it. Never raises: what cannot be read is a Problem."""
