"""Which request told last of a lead, on its way from the webhook to the alert: in headers of the frames between stages.

Owns the header and the memory at its end. It is for people who search a log: what is not there, such as after a restart
of the worker, is said to be unknown, and no number depends on it.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice

import msgspec

from schemas.tracing import Headers

REQUESTS = "floorcast-requests"
MOST_IN_A_FRAME = 200
MOST_REMEMBERED = 50_000
_LEAD = "lead|"
_OTHERS = ""
"""Stands for the leads of a frame that are not named."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, str]).decode


def request_headers(requests: Iterable[tuple[str, str]]) -> Headers:
    """For a frame that holds these records (`lead|<id>`), each with its request (empty: unknown).

    Of very many the first; that there are others is said, so that nobody takes an older request for theirs.
    """
    told = dict(requests)
    if not told:
        return ()
    named = {record: request for record, request in told.items() if request}
    some = dict(islice(named.items(), MOST_IN_A_FRAME))
    if len(some) < len(told):
        some[_OTHERS] = ""
    return ((REQUESTS, _encode(some)),)


def requests_in(
    headers: Iterable[tuple[str, bytes]], frame: bytes, keys_in: Callable[[bytes], Iterable[str]]
) -> Mapping[str, str]:
    """What the headers of a frame say of its records, by key; nothing where it cannot be read.

    `keys_in`: reads the keys of all records in the frame. It is asked where not each lead is named: of the others it is
    unknown (empty) who told of them.
    """
    for name, value in headers:
        if name == REQUESTS:
            try:
                told = _decode(value)
                if told.pop(_OTHERS, None) is not None:
                    told = {key: "" for key in keys_in(frame) if key.startswith(_LEAD)} | told
            except (msgspec.MsgspecError, UnicodeDecodeError):
                return {}
            return told
    return {}


class LatestByLead:
    """By lead, what told last of it: the newest that were heard of, as many as there is room for."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._told: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._told)

    def note(self, lead: str, said: str) -> None:
        """It was told of anew."""
        self._told.pop(lead, None)
        self._told[lead] = said
        if len(self._told) > self._most:
            del self._told[next(iter(self._told))]

    def of(self, lead: str) -> str:
        """Empty: unknown."""
        return self._told.get(lead, "")

    def forget(self, lead: str) -> str:
        """As `of`, and no more."""
        return self._told.pop(lead, "")
