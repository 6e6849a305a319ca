"""Which request told last of a lead, on its way from the webhook to the alert: in headers of the frames between stages.

Owns the header and the memory at its end. It is for people who search a log: what is not there, such as after a restart
of the worker, is said to be unknown, and no number depends on it.
"""

from collections.abc import Iterable, Mapping

import msgspec

from schemas.tracing import Headers

REQUESTS = "floorcast-requests"
MOST_IN_A_FRAME = 200
MOST_REMEMBERED = 50_000

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, str]).decode


def request_headers(requests: Iterable[tuple[str, str]]) -> Headers:
    """For a frame that holds these records (`lead|<id>`), each with its request; of very many the first."""
    told = dict(requests)
    if not told:
        return ()
    if len(told) > MOST_IN_A_FRAME:
        told = dict(list(told.items())[:MOST_IN_A_FRAME])
    return ((REQUESTS, _encode(told)),)


def requests_in(headers: Iterable[tuple[str, bytes]]) -> Mapping[str, str]:
    """What the headers of a frame say; nothing where it cannot be read."""
    for name, value in headers:
        if name == REQUESTS:
            try:
                return _decode(value)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                return {}
    return {}


class Remembered:
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
