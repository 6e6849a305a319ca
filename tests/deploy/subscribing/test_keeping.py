"""Subscriptions kept alive while floorcast runs, over servers that keep the webhooks of a vendor."""

import pytest

from deploy.subscribing.keeping import Keeper, is_kept, keep_once
from deploy.subscribing.online import connect
from schemas.connection_states import Subscription
from schemas.connectors import read_connection
from schemas.instants import DAY
from tests.deploy.subscribing.test_online import NOW, SETTINGS, Crm, connection, opens


@pytest.mark.parametrize("kind", ["pipedrive", "zoho"])
def test_what_is_missing_is_made_and_what_was_switched_off_is_mended(kind: str) -> None:
    crm = Crm(kind)

    made = keep_once("crm", connection(kind), NOW, opens=opens(crm))
    again = keep_once("crm", connection(kind), NOW, opens=opens(crm))

    assert made is not None
    assert (made.state, made) == ("active", again)
    assert (made.expires_at is not None) == (kind == "zoho")


def test_zohos_channel_is_renewed_before_it_ends() -> None:
    crm = Crm("zoho")
    first = keep_once("crm", connection("zoho"), NOW, opens=opens(crm))

    later = keep_once("crm", connection("zoho"), NOW + 4 * DAY, opens=opens(crm))

    assert first is not None
    assert later is not None
    assert (later.expires_at or 0) > (first.expires_at or 0)


@pytest.mark.parametrize("kind", ["close", "aircall"])
def test_what_would_give_out_a_secret_is_left_to_the_command(kind: str) -> None:
    crm = Crm(kind)

    missing = keep_once("crm", connection(kind), NOW, opens=opens(crm))
    assert (missing, crm.hooks) == (Subscription("missing"), {})

    connect("crm", connection(kind), NOW, opens=opens(crm))
    next(iter(crm.hooks.values())).update({"status": "paused"} if kind == "close" else {"active": False})
    assert keep_once("crm", connection(kind), NOW, opens=opens(crm)) == Subscription("active")


def test_only_what_can_be_made_is_kept() -> None:
    assert is_kept(connection("pipedrive"))
    assert not is_kept(read_connection({"kind": "pipedrive", **SETTINGS["pipedrive"]}))
    assert not is_kept(read_connection({"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}))


async def test_a_crm_that_refuses_is_told_of_and_asked_again() -> None:
    crm = Crm("zoho")
    keeper = Keeper("crm", connection("zoho"), lambda: NOW, opens=opens(crm))
    assert await keeper.once()
    held = keeper.subscription

    crm.token_is_good = False
    again = Keeper("crm", connection("zoho"), lambda: NOW, opens=opens(crm))

    assert not await again.once()
    assert held is not None
    assert held.state == "active"
    assert again.subscription == Subscription("unreachable")
