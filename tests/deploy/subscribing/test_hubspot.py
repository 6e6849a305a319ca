"""What `check --online` says of a HubSpot account, over a server that has some scopes and not others."""

from collections.abc import Collection

import httpx

from deploy.subscribing.asking import Asker
from deploy.subscribing.online import Finding, connect, look_online
from deploy.subscribing.vendors import Opens
from schemas.connectors import Connection, read_connection
from tests.deploy.subscribing.test_online import NOW, PLACE

LIMITS = {"x-hubspot-ratelimit-daily": "1000", "x-hubspot-ratelimit-daily-remaining": "900"}


def server(*, lacks: Collection[str] = (), leads: int = 0, taken: str = "Bearer pat-1") -> Opens:
    def answer(request: httpx.Request) -> httpx.Response:
        name = request.url.path.rstrip("/").rpartition("/")[2] if "objects" in request.url.path else "owners"
        if request.headers["authorization"] != taken:
            return httpx.Response(401, json={"category": "INVALID_AUTHENTICATION"})
        if request.url.path.startswith("/account-info/"):
            return httpx.Response(200, json={"portalId": 62515}, headers=LIMITS)
        assert request.url.params["limit"] == "1"
        if name in lacks or (name == "owners" and "owners" in lacks):
            return httpx.Response(403, json={"category": "MISSING_SCOPES"})
        return httpx.Response(200, json={"results": [{"id": "1"}] * (leads if name == "leads" else 1)}, headers=LIMITS)

    return lambda address, **named: Asker(address, transport=httpx.MockTransport(answer), **named)


def account(**more: object) -> Connection:
    api = {"token": "pat-1"}
    return read_connection({"kind": "hubspot", "secrets": ["app-secret"], "public_url": PLACE, "api": api, **more})


def looked(opens: Opens, **more: object) -> list[Finding]:
    return list(look_online("hub", account(**more), last_delivery_at=NOW, opens=opens))


def test_a_good_token_with_all_scopes() -> None:
    found = looked(server())

    assert [each.words for each in found] == [
        "the token is good: portal 62515",
        "the scopes are there: contacts, deals, calls, emails, meetings, owners can be read",
        "the portal has no Lead objects",
        "webhooks: HubSpot does not tell of them; the last delivery does",
        "limits: 900 of 1000 requests left",
        "last delivery: 2026-11-29T12:00:00.000Z",
    ]
    assert not any(each.is_wrong for each in found)


def test_a_missing_scope_is_named() -> None:
    found = looked(server(lacks={"deals", "owners"}))

    assert [each.words for each in found if each.is_wrong] == [
        "a scope is missing: the token may not read deals, owners"
    ]


def test_lead_objects_are_told_of() -> None:
    assert "the portal has Lead objects, which leads: contacts does not read" in [
        each.words for each in looked(server(leads=1))
    ]
    assert "the portal has Lead objects" in [each.words for each in looked(server(leads=1), leads="both")]
    unknown = "whether there are Lead objects is not known: crm.objects.leads.read is missing"
    assert [each.is_wrong for each in looked(server(lacks={"leads"})) if each.words == unknown] == [False]
    assert [each.is_wrong for each in looked(server(lacks={"leads"}), leads="leads") if each.words == unknown] == [True]


def test_a_bad_token_is_told_and_not_shown() -> None:
    found = looked(server(taken="Bearer another"))

    assert [each.is_wrong for each in found] == [True, False]
    assert "credentials are not taken" in found[0].words
    assert "pat-1" not in found[0].words


def test_nothing_is_subscribed_for_it() -> None:
    assert connect("hub", account(), NOW, opens=server()) is None
