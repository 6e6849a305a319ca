"""Subscriptions at servers that keep them as the vendors' pages say: made once, mended, renewed; and what is told."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from deploy.subscribing.asking import Asker, OnlineError
from deploy.subscribing.online import connect, look_online
from deploy.subscribing.steps import STEPS, steps
from deploy.subscribing.vendors import ZohoChannel
from schemas.connectors import KINDS
from schemas.instants import DAY, from_datetime
from tests.deploy.subscribing.crms import NOW, SETTINGS, Opens
from tests.fakes import aircall, close
from tests.fakes.http import Request, Response

MADE = {"pipedrive": 4, "close": 1, "aircall": 1, "zoho": 1}


@pytest.mark.parametrize("kind", MADE)
def test_subscriptions_are_made_once(kind: str, crms: Opens) -> None:
    crm = crms(kind)

    first = connect("crm", crm.connection(), NOW)
    assert first is not None
    entry = crm.connection(**({"secrets": first.secrets} if first.secrets else {}))
    second = connect("crm", entry, NOW)

    assert second is not None
    assert (len(first.actions), second.actions, second.secrets) == (MADE[kind], [], [])
    assert len(crm.hooks) == MADE[kind]
    assert first.secrets == {"close": [close.SIGNATURE_KEY], "aircall": [aircall.TOKEN]}.get(kind, [])
    found = list(look_online("crm", entry, last_delivery_at=NOW))
    assert not any(each.is_wrong for each in found), found
    assert found[-1].words == "last delivery: 2026-11-29T12:00:00.000Z"


def test_what_the_vendor_switched_off_is_mended(crms: Opens) -> None:
    wrongs: dict[str, dict[str, Any]] = {
        "pipedrive": {"is_active": 0, "remove_reason": "failed"},
        "close": {"status": "paused"},
        "aircall": {"active": False},
    }
    for kind, wrong in wrongs.items():
        crm = crms(kind)
        entry = crm.connection(**({"secrets": [aircall.TOKEN]} if kind == "aircall" else {}))
        connect("crm", entry, NOW)
        next(iter(crm.hooks.values())).update(wrong)
        found = list(look_online("crm", entry, last_delivery_at=None))
        assert sum(each.is_wrong for each in found) == 1

        done = connect("crm", entry, NOW)

        assert done is not None
        assert len(done.actions) == 1
        assert len(crm.hooks) == MADE[kind]
        found = list(look_online("crm", entry, last_delivery_at=None))
        assert not any(each.is_wrong for each in found)


@pytest.mark.parametrize("kind", ["aircall", "zoho"])
def test_a_token_that_is_not_in_secrets_is_told_and_mended(kind: str, crms: Opens) -> None:
    """Every delivery would be refused. Aircall chooses it and tells it again; Zoho takes ours."""
    crm = crms(kind)
    connect("crm", crm.connection(), NOW)
    entry = crm.connection(secrets=["another-token"])
    found = list(look_online("crm", entry, last_delivery_at=None))
    (wrong,) = [each.words for each in found if each.is_wrong]
    assert wrong.startswith("subscription: another token than in secrets")

    done = connect("crm", entry, NOW)

    assert done is not None
    assert done.secrets == ([aircall.TOKEN] if kind == "aircall" else [])
    if kind == "aircall":
        entry = crm.connection(secrets=["another-token", aircall.TOKEN])
    assert not any(each.is_wrong for each in look_online("crm", entry, last_delivery_at=None))


def test_a_subscription_that_lacks_events_is_told_and_mended(crms: Opens) -> None:
    crm = crms("close")
    connect("crm", crm.connection(), NOW)
    (hook,) = crm.hooks.values()
    del hook["events"][0]

    found = list(look_online("crm", crm.connection(), last_delivery_at=None))
    assert [each.words for each in found if each.is_wrong] == ["subscription for activity.call.created: lacks events"]
    connect("crm", crm.connection(), NOW)
    assert len(hook["events"]) == 24


@pytest.mark.parametrize("kind", ["close", "aircall"])
def test_ours_is_found_among_many(kind: str, crms: Opens) -> None:
    """Of integrations that have come before: lists have pages."""
    crm = crms(kind)
    for number in range(60):
        crm.hooks[str(number)] = {"url": f"https://other.example/{number}", "webhook_id": str(number), "active": True}
    connect("crm", crm.connection(), NOW)

    again = connect("crm", crm.connection(), NOW)

    assert again is not None
    assert (again.actions, len(crm.hooks)) == ([], 61)


def test_a_list_that_ignores_the_page_ends(crms: Opens) -> None:
    crm = crms("aircall")
    hooks = [
        {"url": f"https://other.example/{number}", "webhook_id": str(number), "active": True} for number in range(50)
    ]
    asked = set()

    def answer(request: Request) -> Response:
        asked.add(request.query.get("page"))
        return Response(200, {"webhooks": hooks} if request.method == "GET" else {"webhook": hooks[0]})

    crm.fake.answer = answer
    connect("crm", crm.connection(), NOW)

    assert asked == {None, "1", "2"}


def test_of_several_at_our_address_the_one_that_works_is_ours(crms: Opens) -> None:
    others: dict[str, dict[str, Any]] = {"aircall": {"token": "of another"}, "close": {"status": "paused"}}
    for kind, other in others.items():
        crm = crms(kind)
        entry = crm.connection(**({"secrets": [aircall.TOKEN]} if kind == "aircall" else {}))
        connect("crm", entry, NOW)
        (ours,) = crm.hooks.values()
        first = ours | other | {"id": "other", "webhook_id": "other"}
        crm.hooks.update({"ours": crm.hooks.pop(next(iter(crm.hooks)))})
        crm.hooks.update({"other": first, "ours": crm.hooks.pop("ours")})

        again = connect("crm", entry, NOW)

        assert again is not None
        assert (again.actions, again.secrets, len(crm.hooks)) == ([], [], 2)


def test_of_two_channels_of_zoho_the_one_that_is_wrong_is_mended(crms: Opens) -> None:
    crm = crms("zoho")
    connect("crm", crm.connection(), NOW)
    (ours,) = crm.hooks.values()
    crm.hooks["1000000001"] = ours | {"channel_id": "1000000001", "token": "of another"}
    crm.hooks["1000000002"] = ours | {"channel_id": "1000000002", "channel_expiry": "2026-11-30T12:00:00+00:00"}

    first, second, third = (connect("crm", crm.connection(), NOW) for _ in range(3))

    assert first is not None
    assert second is not None
    assert third is not None
    assert first.actions[0].startswith("renewed the channel 1000000001")
    assert second.actions[0].startswith("renewed the channel 1000000002")
    assert third.actions == []


def test_what_is_too_far_ahead_for_zoho_is_renewed_at_once(crms: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lasts an hour then, without a word."""
    crm = crms("zoho")
    with monkeypatch.context() as patched:
        patched.setattr(ZohoChannel, "lasts", timedelta(days=8))
        first = connect("crm", crm.connection(), NOW)
    assert first is not None
    assert first.actions[0].endswith("until 2026-11-29T13:00:00+00:00")

    again = connect("crm", crm.connection(), NOW)

    assert again is not None
    assert again.actions[0].startswith("renewed")


def test_zohos_channel_is_renewed_at_half_of_its_time(crms: Opens) -> None:
    crm = crms("zoho")
    connect("crm", crm.connection(), NOW)
    crm.now.instant = NOW + 3 * DAY
    early = connect("crm", crm.connection(), crm.now.instant)
    crm.now.instant = NOW + 4 * DAY
    late = connect("crm", crm.connection(), crm.now.instant)

    assert early is not None
    assert late is not None
    assert (early.actions, len(late.actions), len(crm.hooks)) == ([], 1, 1)
    (entry,) = crm.hooks.values()
    assert from_datetime(datetime.fromisoformat(entry["channel_expiry"])) == NOW + 4 * DAY + int(
        timedelta(days=6, hours=23).total_seconds() * 1_000_000
    )


@pytest.mark.parametrize("kind", sorted(SETTINGS.keys() - {"hubspot"}))
def test_bad_credentials_are_told_and_no_secret(kind: str, crms: Opens) -> None:
    crm = crms(kind)
    crm.refuse()

    with pytest.raises(OnlineError) as caught:
        connect("crm", crm.connection(), NOW)

    assert "credentials are not taken" in str(caught.value)
    assert "secret" not in str(caught.value)
    found = list(look_online("crm", crm.connection(), last_delivery_at=None))
    assert [each.is_wrong for each in found] == [True, False]


def test_salesforces_messages_are_made_by_hand(crms: Opens) -> None:
    crm = crms("salesforce")

    assert connect("crm", crm.connection(), NOW) is None
    found = [each.words for each in look_online("crm", crm.connection(), last_delivery_at=None)]
    assert found[1:3] == [
        "outbound messages: Salesforce does not tell of them; the last delivery does",
        "limits: 99999 of 100000 requests left in 24 h",
    ]


def test_too_many_requests_wait_as_told(crms: Opens) -> None:
    crm = crms("aircall")
    crm.fake.faults += [Response(429, headers={"retry-after": "3"})] * 2
    waited: list[float] = []

    connect("crm", crm.connection(), NOW, opens=lambda address, **named: Asker(address, sleep=waited.append, **named))

    assert waited == [3.0, 3.0]


def test_a_wait_that_is_no_number_is_our_own(crms: Opens) -> None:
    crm = crms("aircall")
    crm.fake.faults += [Response(429, headers={"retry-after": "\u00b2"})]
    waited: list[float] = []

    connect("crm", crm.connection(), NOW, opens=lambda address, **named: Asker(address, sleep=waited.append, **named))

    assert waited == [2.0]


def test_whoever_cannot_be_reached_is_told_so(crms: Opens) -> None:
    crm = crms("close")
    crm.fake.faults += [None] * 20

    (finding, _) = look_online("crm", crm.connection(), last_delivery_at=None)
    assert (finding.is_wrong, finding.is_away) == (True, True)


def test_every_kind_has_steps() -> None:
    assert STEPS.keys() == KINDS.keys()
    assert "https://f.example/webhooks/x" in "\n".join(steps("generic", "https://f.example/webhooks/x"))


def test_a_client_that_is_refused_and_a_host_that_is_away_are_told_apart(crms: Opens) -> None:
    """Salesforce answers 400 to a wrong secret, as OAuth has it."""
    api = SETTINGS["salesforce"]["api"]
    refused, away = crms("salesforce").connection(api=api | {"client_secret": "another one"}), crms("close")
    away.fake.url = "http://127.0.0.1:1"
    entry = away.connection()

    told = [each for each in look_online("crm", refused, last_delivery_at=None) if each.is_wrong]
    nothing = [each for each in look_online("crm", entry, last_delivery_at=None) if each.is_wrong]

    assert [each.words for each in told] == ["POST /services/oauth2/token: the credentials are not taken (400)"]
    assert [each.words for each in nothing] == ["GET /api/v1/me/: 127.0.0.1 cannot be reached (ConnectError)"]
