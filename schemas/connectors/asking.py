"""What a CRM's API is asked and what it answers, as steps without any I/O: what every vendor's client is written in.

A question to a vendor may take several requests, of which each depends on the answers before it. So it is a generator:
it yields an `Ask`, is sent the `CrmAnswer`, and returns what was found. Who drives it (deploy/lookups/client.py) owns
the connection, the token, the limits and the back-off; tests drive it with answers of their own.

What is found becomes the body of a delivery (`Envelope`), which the connector reads like any other.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from schemas.connectors.base import PlacedError
from schemas.connectors.tables import instant_text
from schemas.instants import parse_instant

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Ask:
    """One request."""

    method: str
    path: str
    """Below `CrmSource.address`, or a whole address: some vendors give their tokens elsewhere."""
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    """Sent as JSON; None: nothing is sent."""
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent beside those that let the request in."""
    pace: str = ""
    """Further limit that it falls under, by its name in `CrmSource.paces`."""
    expected: frozenset[int] = frozenset()
    """Statuses beside 2xx that are an answer."""


@dataclass(frozen=True, slots=True)
class CrmAnswer:
    """What came back, with a status that is an answer."""

    status: int
    data: Any
    """The JSON in it; None: there was none."""

    def member(self, *names: str) -> Any:
        """A member of it, each name within the one before; None: it is not there."""
        found = self.data
        for name in names:
            found = found.get(name) if isinstance(found, dict) else None
        return found


Steps = Generator[Ask, CrmAnswer, _T]


class BadAnswerError(PlacedError):
    """An answer that is not what the vendor documents. The message names the member, never a value."""


class NotLetInError(BadAnswerError):
    """An answer, good by its status, that says that the credentials are not taken."""


class NotSeenError(BadAnswerError):
    """Objects that every account has, and that the credentials do not see: the vendor says that there are none."""


@dataclass(frozen=True, slots=True)
class Pace:
    """So many requests in any stretch of so long."""

    requests: int
    per: int
    """Microseconds."""


@dataclass(frozen=True, slots=True)
class ApiObject:
    """One kind of object that can be asked for."""

    name: str
    """As the vendor's addresses call it."""
    record: str
    """Kind of our record."""
    prefix: str = ""
    """What our ids have before the vendor's."""
    has_links: bool = False
    """Whether what it points to may change without its modified date."""
    is_on_demand: bool = False
    """Whether it is so dear to ask for that only a back-fill does that names its kind of record."""
    may_be_absent: bool = False
    """Whether an account may have no such objects at all."""
    is_listed: bool = True
    """Whether a list names all that there are, so that what it does not name is gone."""
    leaves_as: str = ""
    """The status with which records leave that list without being deleted."""
    begins: str = ""
    """What its ids begin with, where another object is the same kind of record."""
    further: Sequence[str] = ()
    """Other kinds of our records that such an object may be."""
    falls_due: frozenset[str] = frozenset()
    """Our fields that become others at an instant that it names, without anybody touching it."""

    @property
    def kinds(self) -> Sequence[str]:
        """All kinds of our records that it may be."""
        return (self.record, *self.further)


class Envelope(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The body of a delivery that holds answers of an API."""

    object: str
    records: Sequence[dict[str, Any]] = ()
    """As the vendor wrote them, with what further requests have told of each."""
    missing: Sequence[str] = ()
    """Ids that were asked for and that nothing was told of."""
    restored: Sequence[str] = ()
    """Those that floorcast held to be deleted, and that are there."""
    gone: Sequence[str] = ()
    """Those that a list of all there is does not name any more."""
    words: dict[str, str] = msgspec.field(default_factory=dict)
    """What words in the records mean, as the API has said: stage -> `open`, `won` or `lost`; id of an outcome -> its
    name."""


ALL = "*"
"""In place of an id that is to be looked up: all that has changed."""
GONE = "$gone"
"""Member of a record in an envelope: when it was deleted (microseconds). Beside its id there is nothing else then."""
HISTORY = "$history"
"""Member of a record: what further requests have told of its past, as the vendor wrote it."""

encode_envelope = msgspec.json.Encoder().encode
decode_envelope = msgspec.json.Decoder(Envelope).decode


@dataclass(frozen=True, slots=True)
class ListStretch:
    """Which of the lists of an object, asked for one after the other, a page is of: of one in the order of time."""

    number: int = 0
    """How many lists are before it."""
    of: int = 1
    is_newest_first: bool = False

    def covered(self, found: Sequence[tuple[str, int]], since: int, until: int) -> float:
        """The part of all the lists, from 0 to 1, that is read with a page of these."""
        if not found:
            return self.number / self.of
        at = (min if self.is_newest_first else max)(at for _, at in found)
        share = min(max((at - since) / max(1, until - since), 0.0), 1.0)
        return (self.number + (1.0 - share if self.is_newest_first else share)) / self.of


@dataclass(frozen=True, slots=True)
class Changed:
    """A page of what has changed."""

    found: Sequence[tuple[str, int]]
    """(id, when it was last modified: microseconds), in the order in which the vendor gives them."""
    cursor: str | None
    """Where the next page begins; None: there is none."""
    total: int | None = None
    """How many there are from this page on, where the vendor tells."""
    records: Sequence[dict[str, Any]] = ()
    """The same, whole, where the list has them so: they need not be read, and are compared in each round."""
    stretch: ListStretch | None = None
    """For who wants to know how far this is, where no total says it; None: its list has no order in time."""
    is_due: bool = False
    """Whether nobody has changed them, but an instant has passed, which stands in place of their modification."""
    is_absent: bool = False
    """Whether the account has no such objects, as far as the credentials see."""
    first: str = ""
    """Id of the first row that the vendor gave, where rows that are not wanted are left out; empty: it gave none."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of whole records."""

    records: Sequence[dict[str, Any]]
    cursor: str | None
    first: str = ""
    """As in `Changed`."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What an account's own words are, as its API says."""

    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Object -> word in such a record -> what it means, for `Envelope.words`."""
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Pipeline -> stage -> what people call it, both by their ids; under the empty id what the pipeline is called. The
    pipeline without an id has the stages of all of them."""


def one_by_one(
    object: str, paths: Mapping[str, str], read: Callable[[CrmAnswer], dict[str, Any]], *, unknown: frozenset[int]
) -> Steps[Envelope]:
    """The records of an API that has no list to ask for some of them. `paths`: id -> where it is.

    `unknown`: the statuses by which the vendor says that there is no such record.
    """
    records: list[dict[str, Any]] = []
    missing: list[str] = []
    for id, path in paths.items():
        answer = yield Ask("GET", path, expected=unknown)
        if answer.status in unknown:
            missing.append(id)
        else:
            records.append(read(answer))
    return Envelope(object=object, records=records, missing=missing)


def without_asking(value: _T) -> Steps[_T]:
    """What is known without asking."""
    return value
    yield  # a generator, as what asks is


class CrmSource(ABC):
    """A vendor's API. Pure: it says what to ask, and makes sense of the answers.

    What has a body here is so of vendors who tell nothing of it.
    """

    address: str
    """Scheme, host and port that requests go to."""
    objects: Mapping[str, ApiObject]
    people: str
    """The object that says who the reps are: asked for whole."""
    are_people_there: bool = False
    """Whether the list of people has only those who are there, so that whoever it does not name has left."""
    batch: int
    """Ids in one `read`."""
    paces: Mapping[str, Pace]
    """Limits by name; the one named `` is everybody's."""
    overlap: int
    """How long what has changed may not be found by `changed` yet (microseconds)."""
    is_exact: bool
    """Whether records say of each field when it was set. Else only when they were modified last: then a field that is
    as it was known says nothing new, though its record has changed since."""

    @abstractmethod
    def login(self) -> Steps[Mapping[str, str]]:
        """Headers that let requests in."""

    def limits(self, headers: Mapping[str, str]) -> Mapping[str, Pace]:
        """What an answer says of the limits that `paces` names."""
        return {}

    def wait(self, status: int, headers: Mapping[str, str], data: Any) -> float | None:
        """How long a refusal says to wait that has no `Retry-After`, in seconds; None: it does not say."""
        return None

    def exhausted(self, headers: Mapping[str, str]) -> float | None:
        """How long nothing more may be asked, in seconds, as an answer says; None: it does not say so."""
        return None

    def words(self) -> Steps[Learned]:
        """What the account's own words mean."""
        return without_asking(Learned())

    @abstractmethod
    def read(self, object: str, ids: Sequence[str]) -> Steps[Envelope]:
        """What is known of these, at most `batch` of them."""

    def links(self, object: str, ids: Sequence[str]) -> Steps[Envelope]:
        """The same, of only what they point to."""
        return without_asking(Envelope(object=object))

    @abstractmethod
    def changed(self, object: str, since: int, cursor: str | None) -> Steps[Changed]:
        """A page of those that were modified since. Raises NotSeenError."""

    def count(self, object: str, since: int) -> Steps[int | None]:
        """How many were modified since, where the vendor tells it and pages do not."""
        return without_asking(None)

    def gone(self, object: str, since: int, until: int, cursor: str | None) -> Steps[Page]:
        """A page of those that were deleted since; `until` is now."""
        return without_asking(Page([], None))

    def listed(self, object: str, cursor: str | None) -> Steps[Changed]:
        """A page of all that there is: unless a vendor has a shorter way, of what was modified at any time."""
        return self.changed(object, 0, cursor)

    @abstractmethod
    def everybody(self) -> Steps[Envelope]:
        """The people, those who left too."""

    def is_there(self, record: Mapping[str, Any]) -> bool:
        """Whether what `read` gave of a record says that it is there, not only something of it."""
        return GONE not in record


def required_member(data: Any, name: str, kind: type[_T]) -> _T:
    """A member that must be there. Raises BadAnswerError."""
    found = data.get(name) if isinstance(data, dict) else None
    if not isinstance(found, kind):
        raise BadAnswerError(name, "is missing or of another type than documented")
    return found


def objects_in(data: Any, name: str) -> Iterator[dict[str, Any]]:
    """The objects of a list that must be there. Raises BadAnswerError."""
    for found in required_member(data, name, list):
        if not isinstance(found, dict):
            raise BadAnswerError(name, "must be a list of objects")
        yield found


def with_text_id(record: Mapping[str, Any]) -> dict[str, Any]:
    """The same, with its id as text."""
    return {**record, "id": str(record.get("id", ""))}


def instant_told(value: Any, name: str) -> int:
    """An instant that must be there, in microseconds. Raises BadAnswerError."""
    try:
        text = instant_text(value)
        if text is None:
            raise ValueError("is missing")
        return parse_instant(text)
    except ValueError as error:
        raise BadAnswerError(name, str(error)) from None
