"""What HubSpot is asked for its set-up: whether the token is good, which objects it may read, whether there are leads.

Owns these requests. HubSpot has no API that tells a private app's token of its webhooks: they are made by hand.
https://developers.hubspot.com/docs/api-reference/latest/account/account-information
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from deploy.subscribing.asking import Asker, Finding, OnlineError, members
from schemas.connectors.connection import Connection
from schemas.connectors.hubspot.api import ADDRESS, VERSION
from schemas.connectors.hubspot.connector import HubSpotConnection
from schemas.connectors.quotas import limits_told

_CONTACTS, _LEADS = "contacts", "leads"
_OBJECTS = (_CONTACTS, "deals", "calls", "emails", "meetings")
"""What is read of every account, each by a scope of its own or by that of contacts."""
_OWNERS = f"/crm/owners/{VERSION}"
_OWNERS_A_PAGE = 500


class HubSpotSetup:
    """One connection's account. Everything raises OnlineError but what only says that a right is missing."""

    def __init__(self, connection: HubSpotConnection, api: Asker) -> None:
        """`api` sends the token with each request."""
        self._leads = connection.leads
        self._api = api

    def greet(self) -> str:
        """That the token is taken: the account's own details need no scope."""
        said = self._api.ask("GET", f"/account-info/{VERSION}/details")
        return f"portal {said.get('portalId')}" if isinstance(said, dict) else "of an account"

    def rights(self) -> Iterator[Finding]:
        """Each object that is asked for, and whether the token may read it; and whether there are Lead objects."""
        lacking = [name for name in _OBJECTS if self._first(f"/crm/objects/{VERSION}/{name}") is None]
        if self._first(_OWNERS) is None:
            lacking.append("owners")
        if lacking:
            yield Finding(f"a scope is missing: the token may not read {', '.join(lacking)}", is_wrong=True)
        else:
            yield Finding(f"the scopes are there: {', '.join((*_OBJECTS, 'owners'))} can be read")
        leads = self._first(f"/crm/objects/{VERSION}/{_LEADS}")
        is_asked = self._leads != _CONTACTS
        if leads is None:
            yield Finding(
                "whether there are Lead objects is not known: crm.objects.leads.read is missing", is_wrong=is_asked
            )
        elif leads and not is_asked:
            yield Finding("the portal has Lead objects, which leads: contacts does not read")
        else:
            yield Finding("the portal has Lead objects" if leads else "the portal has no Lead objects")
        yield Finding("webhooks: HubSpot does not tell of them; the last delivery does")

    def aliases(self, ids: Collection[str]) -> Iterator[Finding]:
        """Which of these ids of people are no owner's. Of one person HubSpot has an owner and a user, by other ids.

        Records name owners: whom a user is, look-ups tell.

        Nothing where owners may not be read, which `rights` tells.
        """
        if not ids or self._first(_OWNERS) is None:
            return
        users: dict[str, str] = {}
        owners: set[str] = set()
        for archived in ("false", "true"):
            after: Any = 0
            while after is not None:
                said = self._api.ask("GET", f"{_OWNERS}?limit={_OWNERS_A_PAGE}&archived={archived}&after={after}")
                for owner in members(said, "results"):
                    owners.add(str(owner.get("id")))
                    users[str(owner.get("userId") or owner.get("userIdIncludingInactive"))] = str(owner.get("id"))
                following = ((said.get("paging") or {}).get("next") or {}).get("after")
                after = None if following == after else following
        for id in sorted(set(ids) - owners):
            own = users.get(id)
            what = "of nobody in the portal" if own is None else f"of a user, who is followed as the owner {own}"
            yield Finding(f"of the ids in aliases {id} is {what}")

    def _first(self, path: str) -> Sequence[Any] | None:
        """The first of a list; None: there is no right to it."""
        try:
            said = self._api.ask("GET", f"{path}?limit=1")
        except OnlineError as error:
            if "(403)" in str(error):
                return None
            raise
        found = said.get("results") if isinstance(said, dict) else None
        return found if isinstance(found, list) else []

    def limits(self) -> str | None:
        """By the headers of the last answer."""
        told = limits_told(self._api.headers, 0)
        return None if told is None else f"{told.of - told.used} of {told.of} requests left"


@contextmanager
def hubspot_of(connection: Connection, opens: Callable[..., Asker]) -> Iterator[HubSpotSetup | None]:
    """What can be asked of a portal, while it is open; None: it is none of HubSpot, or has no API to ask."""
    if not isinstance(connection, HubSpotConnection) or connection.api is None:
        yield None
        return
    headers = {"authorization": f"Bearer {connection.api.token.get_secret_value().strip()}"}
    with opens(connection.api.url or ADDRESS, headers=headers) as api:
        yield HubSpotSetup(connection, api)
