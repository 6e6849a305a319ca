"""What Aircall's API is asked, and how its answers are put together. Pure: `schemas.connectors.asking` says how.

- Nothing tells when a call was edited: the list of the last day is read anew in each round, whole calls, and compared.
- Beyond 10,000 calls a list is cut without a word: long before that it is begun anew at the last call's instant.
- About six months are kept, and no list names what is older: ids are not compared, and no call is taken for deleted.
https://developer.aircall.io/api-references/#list-all-calls
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schemas.connectors.asking import (
    ApiObject,
    Ask,
    BadAnswerError,
    Changed,
    CrmAnswer,
    CrmSource,
    Envelope,
    Pace,
    Steps,
    objects_in,
    one_by_one,
    required_member,
    with_text_id,
    without_asking,
)
from schemas.connectors.lists import standing_still, walked
from schemas.connectors.quotas import count_in, instant_of_date
from schemas.instants import DAY, MINUTE, SECOND

ADDRESS = "https://api.aircall.io"
CALLS, USERS = "calls", "users"
_LISTED = 50
_PAGES = 100
"""Of one list, half of what is cut."""
_UNKNOWN = frozenset({404})
_LONGEST = 300.0


class AircallSource(CrmSource):
    """Aircall's API, for one connection."""

    people = USERS
    are_people_there = True
    batch = _LISTED
    # https://developer.aircall.io/api-references/#rate-limiting: of the company, whoever asks.
    paces: Mapping[str, Pace] = {"": Pace(120, MINUTE)}
    overlap = DAY
    """Calls are tagged and ended after they were made."""
    is_exact = False
    objects: Mapping[str, ApiObject] = {CALLS: ApiObject(CALLS, "call", is_listed=False)}

    def __init__(self, *, id: str, token: str, address: str | None = None) -> None:
        self.address = address or ADDRESS
        self._credentials = base64.b64encode(f"{id}:{token}".encode()).decode()

    def login(self) -> Steps[Mapping[str, str]]:
        """Id and token of the API: they do not expire."""
        return without_asking({"authorization": f"Basic {self._credentials}"})

    def limits(self, headers: Mapping[str, str]) -> Mapping[str, Pace]:
        """Of the minute."""
        most = count_in(headers, "x-aircallapi-limit")
        return {"": Pace(most, MINUTE)} if most else {}

    def wait(self, status: int, headers: Mapping[str, str], data: Any) -> float | None:
        """Until the instant that is named, by the clock of the answer."""
        reset = count_in(headers, "x-aircallapi-reset")
        if status != 429 or reset is None:
            return None
        said_at = instant_of_date(headers.get("date", ""))
        return 60.0 if said_at is None else min(max(reset - said_at, 1.0), _LONGEST)

    def read(self, object: str, ids: Sequence[str]) -> Steps[Envelope]:
        """Those that are there."""
        paths = {id: f"/v1/calls/{id}" for id in ids}
        return one_by_one(object, paths, _call, unknown=_UNKNOWN)

    def changed(self, object: str, since: int, cursor: str | None) -> Steps[Changed]:
        """All calls that were made since then, whole, the oldest first: what is made meanwhile comes at the end."""
        start, _, page = (cursor or f"{since // SECOND} 1").partition(" ")
        query = {"from": start, "order": "asc", "page": page, "per_page": str(_LISTED)}
        answer = yield Ask("GET", "/v1/calls", query)
        records = list(_rows(answer, CALLS))
        found = [(record["id"], _last(record)) for record in records]
        total = answer.member("meta", "total")
        following = None
        if answer.member("meta", "next_page_link"):
            following = f"{start} {int(page) + 1}"
            if int(page) >= _PAGES and not records:
                raise standing_still()
            if int(page) >= _PAGES:
                last = required_member(records[-1], "started_at", int)
                if last <= int(start):
                    raise BadAnswerError(
                        CALLS, f"more in one second than Aircall lists: what was made after {start} is lacking"
                    )
                following = f"{last} 1"
        left = total - (int(page) - 1) * _LISTED if isinstance(total, int) else None
        return Changed(found, following, left, records=records)

    def everybody(self) -> Steps[Envelope]:
        """Users. Those who were deleted are not among them."""
        users = yield from self._users("/v2/users")
        # The former list, where there is no other.
        return Envelope(object=USERS, records=users or (yield from self._users("/v1/users")))

    def _users(self, path: str) -> Steps[list[dict[str, Any]]]:
        return walked(
            lambda page: Ask("GET", path, {"page": page or "1", "per_page": str(_LISTED)}, expected=_UNKNOWN),
            lambda answer: () if answer.status in _UNKNOWN else _rows(answer, USERS),
            lambda page: str(int(page.cursor or 1) + 1) if page.answer.member("meta", "next_page_link") else None,
        )


def _call(answer: CrmAnswer) -> dict[str, Any]:
    return with_text_id(required_member(answer.data, "call", dict))


def _rows(answer: CrmAnswer, name: str) -> Iterator[dict[str, Any]]:
    return map(with_text_id, objects_in(answer.data, name))


def _last(record: Mapping[str, Any]) -> int:
    """The last instant that a call names."""
    named = (record.get(name) for name in ("started_at", "answered_at", "ended_at"))
    return max((at for at in named if isinstance(at, int)), default=0) * SECOND
