"""The scope that each address needs. This table is all there is: identity.py asks it, and so does the description.

A new address under `/v1` needs `read` (`admin` where something is done there) until it has a line of its own, and is
closed to keys of scope `rep` until it stands among those that show them what is their own alone.
"""

from schemas.keys import ApiScope

PAGES = {"floor": "floorcast_floor", "me": "floorcast_me"}
"""Pages of people beside the boards: the first part of their address, and the cookie that holds their key."""

_ADDRESSES: dict[str, ApiScope] = {
    # What boards need.
    "/metrics": ApiScope.BOARD,
    "/v1/stream": ApiScope.BOARD,
    "/v1/metrics": ApiScope.BOARD,
    "/v1/leads/waiting": ApiScope.BOARD,
    "/v1/freshness": ApiScope.BOARD,
    "/v1/goals": ApiScope.BOARD,
    "/v1/wins": ApiScope.BOARD,
    # Pages of people.
    "/floor": ApiScope.READ,
    "/me": ApiScope.REP,
    # What lies outside of the sales floor.
    "/v1/dead-letters": ApiScope.ADMIN,
    "/v1/connections": ApiScope.ADMIN,
    "/v1/screens": ApiScope.ADMIN,
}
"""By whole address."""

OF_REPS = frozenset(
    {
        "/v1/metrics",
        "/v1/freshness",
        "/v1/reps",
        "/v1/teams",
        "/v1/reps/metrics",
        "/v1/stream",
        "/v1/goals",
        "/v1/wins",
        "/v1/alerts",
        "/v1/leads/waiting",
        "/v1/leads/open",
        "/v1/deals/open",
    }
)
"""What a key of scope `rep` may ask: of lists it gets its own rows."""
_OF_REPS_BELOW = ("/photos/", "/v1/reps/", "/v1/leads/", "/v1/leaderboards/", "/v1/series/", "/v1/funnels/")

_BELOW: dict[str, ApiScope] = {
    "/floor/": ApiScope.READ,
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

OPEN = frozenset({"/", "/livez", "/readyz", "/openapi.json", "/floor/key", "/me/key"})
"""Addresses that need no key."""
OPEN_BELOW = ("/docs", "/static/", "/webhooks", "/v1/screens/codes")
"""So do those that begin with these: files, deliveries (which prove themselves), and screens that want to be paired."""

HEARTBEAT = "/v1/screens/heartbeat"
"""What a screen says of itself."""

_ASKS = frozenset({"GET", "HEAD", "OPTIONS"})


def is_open_to_reps(method: str, path: str) -> bool:
    """Whether a key of scope `rep` may ask it. What is done to something is for others to do."""
    return method in _ASKS and (path in OF_REPS or path.startswith(_OF_REPS_BELOW))


def scope_of(method: str, path: str) -> ApiScope | None:
    """What a request needs; None where it needs no key, and where there is nothing. Actions need `admin`."""
    if path.startswith(OPEN_BELOW) or path in OPEN:
        return None
    if path == HEARTBEAT:
        return ApiScope.BOARD
    if path.startswith(("/v1/", "/floor/")) and method not in _ASKS:
        return ApiScope.ADMIN
    found = _ADDRESSES.get(path)
    if found is None:
        found = next((scope for start, scope in _BELOW.items() if path.startswith(start)), None)
    return found
