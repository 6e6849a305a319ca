"""Subscriptions kept alive while floorcast runs, over servers that keep the webhooks of a vendor."""

import pytest

from deploy.subscribing.keeping import Keeper, is_kept, keep_once
from deploy.subscribing.online import connect
from schemas.connection_states import SubscriptionState
from schemas.connectors import read_connection
from schemas.instants import DAY
from tests.deploy.subscribing.crms import NOW, SETTINGS, Opens
from tests.fakes import aircall


@pytest.mark.parametrize("kind", ["pipedrive", "zoho"])
def test_what_is_missing_is_made_and_what_was_switched_off_is_mended(kind: str, crms: Opens) -> None:
    crm = crms(kind)

    made = keep_once("crm", crm.connection(), NOW)
    again = keep_once("crm", crm.connection(), NOW)

    assert made is not None
    assert (made.state, made) == ("active", again)
    assert (made.expires_at is not None) == (kind == "zoho")


def test_zohos_channel_is_renewed_before_it_ends(crms: Opens) -> None:
    crm = crms("zoho")
    first = keep_once("crm", crm.connection(), NOW)

    crm.now.instant = NOW + 4 * DAY
    later = keep_once("crm", crm.connection(), crm.now.instant)

    assert first is not None
    assert later is not None
    assert (later.expires_at or 0) > (first.expires_at or 0)


@pytest.mark.parametrize("kind", ["close", "aircall"])
def test_what_would_give_out_a_secret_is_left_to_the_command(kind: str, crms: Opens) -> None:
    crm = crms(kind)

    missing = keep_once("crm", crm.connection(), NOW)
    assert (missing, crm.hooks) == (SubscriptionState("missing"), {})

    connect("crm", crm.connection(), NOW)
    if kind == "aircall":
        assert keep_once("crm", crm.connection(), NOW) == SubscriptionState("another token than in secrets")
    entry = crm.connection(secrets=[aircall.TOKEN if kind == "aircall" else "00" * 16])
    next(iter(crm.hooks.values())).update({"status": "paused"} if kind == "close" else {"active": False})
    assert keep_once("crm", entry, NOW) == SubscriptionState("active")


def test_only_what_can_be_made_is_kept(crms: Opens) -> None:
    assert is_kept(crms("pipedrive").connection())
    assert not is_kept(read_connection({"kind": "pipedrive", **SETTINGS["pipedrive"]}))
    assert not is_kept(read_connection({"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}))


async def test_a_crm_that_refuses_is_told_of_and_asked_again(crms: Opens) -> None:
    crm = crms("zoho")
    keeper = Keeper("crm", crm.connection(), lambda: NOW)
    assert await keeper.once()
    held = keeper.subscription

    crm.refuse()
    again = Keeper("crm", crm.connection(), lambda: NOW)

    assert not await again.once()
    assert held is not None
    assert held.state == "active"
    assert again.subscription == SubscriptionState("unreachable")
