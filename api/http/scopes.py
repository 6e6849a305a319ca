"""The scope that each address needs, and who may not ask it all the same.

This is all there is: identity.py asks it, and so does the description. A new address under `/v1` needs `read` (`admin`
where something is done there) until it has a line of its own, and is closed to keys of scope `rep` until it stands
among those that show them what is their own alone. An address that no rule names is answered as one that does not
exist, also where a route is behind it.
"""

from collections.abc import Container

from schemas.keys import ApiScope

PAGES = {"floor": "floorcast_floor", "me": "floorcast_me"}
"""Pages of people beside the boards: the first part of their address, and the cookie that holds their key."""

BOARD = "/board/"
"""What the address of a wallboard begins with, before the name of its screen."""
_EXPOSITION = "/metrics"

_ADDRESSES: dict[str, ApiScope] = {
    # What boards need.
    _EXPOSITION: ApiScope.BOARD,
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

OPEN_TO_REPS = frozenset(
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
_OPEN_TO_REPS_BELOW = ("/photos/", "/v1/reps/", "/v1/leads/", "/v1/leaderboards/", "/v1/series/", "/v1/funnels/")

_BELOW: dict[str, ApiScope] = {
    "/floor/": ApiScope.READ,
    BOARD: ApiScope.BOARD,
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
OPEN_BELOW = ("/docs/", "/static/", "/webhooks/", "/v1/screens/codes/")
"""Nor do these and all below them: files, deliveries (which prove themselves), and screens that want to be paired."""

HEARTBEAT = "/v1/screens/heartbeat"
"""What a screen says of itself."""

_ASKS = frozenset({"GET", "HEAD", "OPTIONS"})


def is_open_to_reps(method: str, path: str) -> bool:
    """Whether a key of scope `rep` may ask it. What is done to something is for others to do."""
    return method in _ASKS and (path in OPEN_TO_REPS or path.startswith(_OPEN_TO_REPS_BELOW))


def is_no_board(path: str, screens: Container[str]) -> bool:
    """Whether this is the address of a screen that there is not: no key opens it, so none is asked for."""
    return path.startswith(BOARD) and path.removeprefix(BOARD) not in screens


def is_closed_to_screens(path: str) -> bool:
    """Whether a screen may not ask it, whatever its key: it is about everybody, not about what the screen shows."""
    return path == _EXPOSITION


class UnnamedAddressError(LookupError):
    """No rule names the address."""


def scope_of(method: str, path: str) -> ApiScope | None:
    """What a request needs; None where it needs no key. Actions need `admin`. Raises UnnamedAddressError."""
    if f"{path}/".startswith(OPEN_BELOW) or path in OPEN:
        return None
    if path == HEARTBEAT:
        return ApiScope.BOARD
    found = _ADDRESSES.get(path)
    if found is None:
        found = next((scope for start, scope in _BELOW.items() if path.startswith(start)), None)
    if found is None:
        raise UnnamedAddressError(path)
    return found if method in _ASKS else ApiScope.ADMIN
