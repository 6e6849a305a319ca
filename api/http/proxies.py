"""What a trusted proxy says of a request is believed: the client's address, and whether it came over TLS.

Owns the reading of `Forwarded` (RFC 7239) and `X-Forwarded-For`, `X-Forwarded-Proto`. From anybody else they say
nothing: scheme and client stay those of the connection.
"""

import re
from collections.abc import Awaitable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

Networks = Sequence[IPv4Network | IPv6Network]

_PAIR = re.compile(r'\s*([A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]+))\s*(;|,|$)')
_SCHEMES = frozenset({"http", "https"})


class TrustedProxies:
    """Replaces scheme and client of a request that comes from one of these networks."""

    def __init__(self, app: ASGIApp, networks: Networks) -> None:
        self.app = app
        self._networks = networks

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Believe the proxy, if it is one of ours."""
        client = scope.get("client")
        if scope["type"] == "http" and client and is_within(client[0], self._networks):
            address, scheme = _said(scope["headers"], self._networks)
            if scheme is not None:
                scope["scheme"] = scheme
            if address is not None:
                scope["client"] = (address, 0)
        return self.app(scope, receive, send)


def is_within(address: str, networks: Networks) -> bool:
    """Whether an address, as text, is one of these networks'."""
    found = _address(address)
    return found is not None and any(found in network for network in networks)


def _said(headers: Sequence[tuple[bytes, bytes]], trusted: Networks) -> tuple[str | None, str | None]:
    """Client and scheme. Each proxy adds its line at the end: the client is the last that is no proxy of ours."""
    values = {
        name: ",".join(value.decode("latin-1") for key, value in headers if key == name)
        for name in (b"forwarded", b"x-forwarded-for", b"x-forwarded-proto")
    }
    if values[b"forwarded"]:
        hops = _forwarded(values[b"forwarded"])
        addresses = [hop.get("for", "") for hop in hops]
        protocols = [hop.get("proto", "").lower() for hop in hops]
        if not all(protocols):
            protocols = [protocol for protocol in protocols if protocol][-1:]
    else:
        addresses = [part.strip() for part in values[b"x-forwarded-for"].split(",") if part.strip()]
        protocols = [part.strip().lower() for part in values[b"x-forwarded-proto"].split(",") if part.strip()]
    client, place = None, len(addresses) - 1
    for number, text in reversed([*enumerate(addresses)]):
        found = _address(text)
        if found is None:
            break
        client, place = str(found), number
        if not any(found in network for network in trusted):
            break
    # By the proxy to which the client came; where they do not all tell, by the last: others may be the client's words.
    schemes = protocols if len(protocols) == len(addresses) else protocols[-1:]
    scheme = schemes[min(place, len(schemes) - 1)] if schemes else ""
    return client, scheme if scheme in _SCHEMES else None


def _forwarded(text: str) -> list[dict[str, str]]:
    """The hops of a `Forwarded` header, in order; none where it cannot be read."""
    hops: list[dict[str, str]] = [{}]
    place = 0
    while place < len(text):
        found = _PAIR.match(text, place)
        if found is None:
            return []
        value = found[3] if found[2] is None else re.sub(r"\\(.)", r"\1", found[2])
        hops[-1][found[1].lower()] = value
        if found[4] == ",":
            hops.append({})
        place = found.end()
        if found[4] == "":
            break
    return hops


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address, with or without a port, as these headers write it."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        found = ip_address(bare)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
