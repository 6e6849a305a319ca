"""What is found online of each connection, in words: for `floorcast connect` and `floorcast check --online`.

Owns the order of the questions and what counts as wrong.
"""

from collections.abc import Callable, Iterator

from deploy.subscribing.asking import Asker, Finding, OnlineError
from deploy.subscribing.hubspot import hubspot_of
from deploy.subscribing.rights import Rights
from deploy.subscribing.steps import PLACE
from deploy.subscribing.vendors import ACTIVE, Opens, SubscribeResult, Vendor, vendor_of
from schemas.connection_states import SubscriptionState
from schemas.connectors import Connection, kind_of
from schemas.connectors.salesforce.connector import SalesforceConnection
from schemas.instants import format_instant


def hook_url(name: str, connection: Connection) -> str:
    """Where the CRM posts to."""
    return f"{(connection.public_url or PLACE).rstrip('/')}/webhooks/{name}"


def look_online(
    name: str,
    connection: Connection,
    *,
    last_delivery_at: int | None,
    stream: SubscriptionState | None = None,
    rights: Callable[[Connection], Rights | None] = lambda _connection: None,
    opens: Opens = Asker,
) -> Iterator[Finding]:
    """Token, rights, subscription, limits and last delivery of one connection.

    `stream`: how its stream is, as far as a Kafka says so. `rights`: asks for each object that is read of it.
    """
    try:
        with hubspot_of(connection, opens) as hubspot, vendor_of(connection, opens) as vendor:
            if hubspot is not None:
                yield Finding(f"the token is good: {hubspot.greet()}")
                yield from hubspot.rights()
                yield from hubspot.aliases(connection.people)
                if (limits := hubspot.limits()) is not None:
                    yield Finding(f"limits: {limits}")
            elif vendor is None:
                what = "it only listens" if kind_of(connection.kind).takes_webhooks else "it takes files"
                yield Finding(f"has no API to ask: {what}")
            else:
                yield from _of_vendor(vendor, hook_url(name, connection), connection, rights)
    except OnlineError as error:
        yield Finding(str(error), is_wrong=True, is_away=error.is_away)
    if isinstance(connection, SalesforceConnection) and connection.stream is not None:
        state = "not known, as no Kafka tells" if stream is None else stream.state
        yield Finding(f"stream: {state}", is_wrong=stream is not None and stream.state != ACTIVE)
    if kind_of(connection.kind).takes_webhooks:
        told = "none yet" if last_delivery_at is None else format_instant(last_delivery_at)
        yield Finding(f"last delivery: {told}")


def _of_vendor(
    vendor: Vendor, url: str, connection: Connection, rights: Callable[[Connection], Rights | None]
) -> Iterator[Finding]:
    yield Finding(f"the token is good: {vendor.greet()}")
    yield from _of_rights(rights(connection))
    if isinstance(connection, SalesforceConnection):
        yield Finding("outbound messages: Salesforce does not tell of them; the last delivery does")
    elif connection.public_url is None:
        yield Finding("public_url is not set: no subscription is looked for")
    else:
        for state in vendor.look(url):
            what = f" for {state.detail}" if state.detail else ""
            until = "" if state.expires_at is None else f", until {format_instant(state.expires_at)}"
            yield Finding(f"subscription{what}: {state.state}{until}", is_wrong=state.state != ACTIVE)
    limits = vendor.limits()
    if limits is not None:
        yield Finding(f"limits: {limits}")


def _of_rights(found: Rights | None) -> Iterator[Finding]:
    if found is None:
        return
    if found.readable:
        yield Finding(f"can be read: {', '.join(found.readable)}")
    if found.absent:
        yield Finding(f"is not there, or not shown to this token: {', '.join(found.absent)}")
    if found.refused:
        yield Finding(f"a right or scope is missing: the token may not read {', '.join(found.refused)}", is_wrong=True)
    if found.unknown is not None:
        yield Finding(f"what can be read is not known: {found.unknown}", is_wrong=True, is_away=True)


def connect(name: str, connection: Connection, now: int, *, opens: Opens = Asker) -> SubscribeResult | None:
    """Subscribe; None where it has to be done by hand. Raises OnlineError."""
    if connection.public_url is None:
        return None
    url = hook_url(name, connection)
    with vendor_of(connection, opens) as vendor:
        if vendor is None:
            return None
        vendor.greet()
        return vendor.subscribe(url, now) if vendor.look(url) else None
