"""The scope that each address needs. This table is all there is: identity.py asks it, and so does the description.

A new address under `/v1` needs `read` (`admin` where something is done there) until it has a line of its own.
"""

from schemas.keys import ApiScope

_ADDRESSES: dict[str, ApiScope] = {
    # What boards need.
    "/metrics": ApiScope.BOARD,
    "/v1/stream": ApiScope.BOARD,
    "/v1/metrics": ApiScope.BOARD,
    "/v1/leads/waiting": ApiScope.BOARD,
    "/v1/freshness": ApiScope.BOARD,
    "/v1/goals": ApiScope.BOARD,
    "/v1/wins": ApiScope.BOARD,
    # What lies outside of the sales floor.
    "/v1/dead-letters": ApiScope.ADMIN,
    "/v1/connections": ApiScope.ADMIN,
    "/v1/screens": ApiScope.ADMIN,
}
"""By whole address."""

_BELOW: dict[str, ApiScope] = {
    "/board/": ApiScope.BOARD,
    "/photos/": ApiScope.BOARD,
    "/media/": ApiScope.BOARD,
    "/v1/leaderboards/": ApiScope.BOARD,
    "/v1/series/": ApiScope.BOARD,
    "/v1/funnels/": ApiScope.BOARD,
    "/v1/connections/": ApiScope.ADMIN,
    "/v1/screens/": ApiScope.ADMIN,
    "/v1/": ApiScope.READ,
}
"""By what an address begins with, the first that fits."""

OPEN = frozenset({"/", "/livez", "/readyz", "/openapi.json"})
"""Addresses that need no key."""
OPEN_BELOW = ("/docs", "/static/", "/webhooks", "/v1/screens/codes")
"""So do those that begin with these: files, deliveries (which prove themselves), and screens that want to be paired."""

HEARTBEAT = "/v1/screens/heartbeat"
"""What a screen says of itself."""

_ASKS = frozenset({"GET", "HEAD", "OPTIONS"})


def scope_of(method: str, path: str) -> ApiScope | None:
    """What a request needs; None where it needs no key, and where there is nothing. Actions need `admin`."""
    if path.startswith(OPEN_BELOW) or path in OPEN:
        return None
    if path == HEARTBEAT:
        return ApiScope.BOARD
    if path.startswith("/v1/") and method not in _ASKS:
        return ApiScope.ADMIN
    found = _ADDRESSES.get(path)
    if found is None:
        found = next((scope for start, scope in _BELOW.items() if path.startswith(start)), None)
    return found
