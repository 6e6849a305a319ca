"""The target of a request, as its first line has it: which path it asks for, and of which host."""

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

import httptools

_SHORT_TARGET = 256


class RequestTarget(NamedTuple):
    """What a request asks for: a path, with what is escaped and without, and what stands behind a question mark."""

    path: str
    raw_path: bytes
    query: bytes


def requested_target(url: bytes) -> RequestTarget:
    """What this target of a request asks for. Raises HttpParserError."""
    return _short_target(url) if len(url) <= _SHORT_TARGET else _read_target(url)


def _read_target(url: bytes) -> RequestTarget:
    parsed = httptools.parse_url(url)
    raw_path: bytes = parsed.path
    path = raw_path.decode("ascii")
    return RequestTarget(unquote(path) if "%" in path else path, raw_path, parsed.query or b"")


_short_target = lru_cache(maxsize=256)(_read_target)
"""Of addresses that are asked for again and again."""


def is_for(target: bytes, host: bytes) -> bool:
    """Whether an address in absolute form, as proxies are asked, names the same host, by HTTP, as `Host` does."""
    asked = httptools.parse_url(target)
    port = b"" if asked.port is None else b":%d" % asked.port
    name = asked.host or b""
    names = (name + port, b"[" + name + b"]" + port)
    is_web = (asked.schema or b"").lower() in (b"http", b"https")
    return is_web and asked.userinfo is None and host.lower() in [one.lower() for one in names]
