"""Where a request ends, and for whom it is. What its head says in two ways is refused: two readers would differ."""

import re
from collections.abc import Sequence
from functools import lru_cache

from api.targets import is_for

_SPOKEN = ("1.0", "1.1")

# RFC 3986, 3.2.2 and 3.2.3, without anybody's name before an @. HTTP/1.0 need not name one.
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?")


class AmbiguousError(Exception):
    """Another reader may see another request. Says what is wrong."""


def check_framing(
    version: str, url: bytes, headers: Sequence[tuple[bytes, bytes]], *, is_for_another_protocol: bool
) -> bool:
    """Whether the client waits to be told to go on. Raises AmbiguousError."""
    hosts = lengths = 0
    host = b""
    codings: list[bytes] = []
    expects_continue = False
    for name, value in headers:
        if name == b"host":
            hosts += 1
            host = value
        elif name == b"content-length":
            lengths += value.strip() != b"0"
        elif name == b"transfer-encoding":
            codings.append(value.strip().lower())
        elif name == b"expect":
            expects_continue = expects_continue or value.lower() == b"100-continue"
    if version not in _SPOKEN:
        msg = f"HTTP/{version} is not spoken here"
        raise AmbiguousError(msg)
    if hosts > 1:
        msg = "host: is said more than once"
        raise AmbiguousError(msg)
    if not hosts and version != "1.0":
        msg = "host: is missing"
        raise AmbiguousError(msg)
    if not _is_host(host):
        msg = "host: is not a name or address with a port"
        raise AmbiguousError(msg)
    if not url.startswith((b"/", b"*")) and not is_for(url, host):
        msg = "host: is another one than in the address that is asked for"
        raise AmbiguousError(msg)
    if codings and (codings != [b"chunked"] or version == "1.0"):
        msg = "transfer-encoding: only chunked is understood"
        raise AmbiguousError(msg)
    # The parser takes what follows the head for the other protocol: a body would be read as a request.
    if (lengths or codings) and is_for_another_protocol:
        msg = "upgrade: no other protocol is spoken here; send a body without it"
        raise AmbiguousError(msg)
    return expects_continue


@lru_cache(maxsize=16)
def _is_host(host: bytes) -> bool:
    """Whether that names one; nearly all requests of a process have the same."""
    return _HOST.fullmatch(host) is not None
