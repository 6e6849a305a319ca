"""Subscriptions kept alive: looked at each hour, made, mended and renewed where the CRM has an API for it.

Owns when, and what is said of it. How each vendor does it is in vendors.py. A subscription whose making gives out a
secret is not made here: nobody would read it, and `floorcast connect KIND` prints it.
"""

import asyncio
from collections.abc import Callable

import structlog

from deploy.subscribing.asking import Asker, OnlineError
from deploy.subscribing.online import hook_url
from deploy.subscribing.vendors import ACTIVE, MISSING, NOT_OURS, Opens, WebhookState, has_api, vendor_of
from schemas.connection_states import SubscriptionState
from schemas.connectors.aircall.connector import AircallConnection
from schemas.connectors.close.connector import CloseConnection
from schemas.connectors.connection import Connection

EVERY_SECONDS = 3600.0
AFTER_FAILURE_SECONDS = 300.0
UNREACHABLE = "unreachable"
"""In place of a state that nobody could ask for."""
_GIVE_OUT_SECRETS = (AircallConnection, CloseConnection)

log = structlog.get_logger("lookups")


def is_kept(connection: Connection) -> bool:
    """Whether there is anything to keep: an API to ask, and an address to be subscribed."""
    return connection.public_url is not None and has_api(connection)


def keep_once(name: str, connection: Connection, now: int, *, opens: Opens = Asker) -> SubscriptionState | None:
    """Look, make or mend what is to be, and say how it is then; None: it is made by hand. Raises OnlineError."""
    url = hook_url(name, connection)
    with vendor_of(connection, opens) as vendor:
        if vendor is None:
            return None
        states = vendor.look(url)
        if not states:
            return None
        by_hand = {MISSING, NOT_OURS}
        is_by_hand = isinstance(connection, _GIVE_OUT_SECRETS) and any(each.state in by_hand for each in states)
        if is_by_hand:
            log.warning("connection.not_subscribed", connection=name, see=f"floorcast connect {connection.kind}")
            return _of(states)
        for action in vendor.subscribe(url, now).actions:
            log.info("connection.subscribed", connection=name, action=action)
        return _of(vendor.look(url))


def _of(states: list[WebhookState]) -> SubscriptionState:
    """Of several the worst, and the instant at which the first of them ends."""
    worst = next((each.state for each in states if each.state != ACTIVE), ACTIVE)
    return SubscriptionState(
        worst, min((each.expires_at for each in states if each.expires_at is not None), default=None)
    )


class Keeper:
    """One connection's subscriptions; `subscription` says how they are."""

    def __init__(self, name: str, connection: Connection, clock: Callable[[], int], *, opens: Opens = Asker) -> None:
        self.name = name
        self._connection = connection
        self._clock = clock
        self._opens = opens
        self.subscription: SubscriptionState | None = None

    async def run(self) -> None:
        """Keep them, for ever."""
        while True:
            await asyncio.sleep(EVERY_SECONDS if await self.once() else AFTER_FAILURE_SECONDS)

    async def once(self) -> bool:
        """Whether the CRM has answered."""
        try:
            self.subscription = await asyncio.to_thread(
                keep_once, self.name, self._connection, self._clock(), opens=self._opens
            )
        except OnlineError as error:
            log.warning("connection.not_subscribed", connection=self.name, problem=str(error))
            held = self.subscription
            self.subscription = SubscriptionState(UNREACHABLE, None if held is None else held.expires_at)
            return False
        return True
