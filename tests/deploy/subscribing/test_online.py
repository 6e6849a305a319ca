"""Subscriptions at servers that keep them as the vendors' pages say: made once, mended, renewed; and what is told."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import msgspec
import pytest

from deploy.subscribing.asking import Asker, OnlineError
from deploy.subscribing.online import connect, look_online
from deploy.subscribing.steps import STEPS, steps
from deploy.subscribing.vendors import Opens
from schemas.connectors import KINDS, Connection, read_connection
from schemas.instants import DAY, from_datetime
from tests.builders import instant

NOW = instant("2026-11-29T12:00Z")
PLACE = "https://floor.example"
Answers = Callable[[str, str, Any], httpx.Response]

SETTINGS: dict[str, dict[str, Any]] = {
    "pipedrive": {"secrets": ["user:password"], "api": {"company": "acme", "token": "pd-secret"}},
    "close": {"secrets": ["00" * 16], "api": {"key": "close-secret"}},
    "aircall": {"secrets": ["not-yet-a-token"], "api": {"id": "air", "token": "air-secret"}},
    "zoho": {
        "secrets": ["zoho-token"],
        "api": {"region": "eu", "client_id": "c", "client_secret": "zoho-secret", "refresh_token": "zoho-refresh"},
    },
    "salesforce": {
        "secrets": ["sf-path-secret"],
        "organization": "00D5g000004XYZa",
        "api": {"url": "https://acme.my.salesforce.com", "client_id": "c", "client_secret": "sf-secret"},
    },
}


class Crm:
    """A server that keeps the webhooks of one vendor."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.hooks: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.token_is_good = True
        self.too_many = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, body = request.url.path, request.content
        self.asked.append(f"{request.method} {path}")
        if self.too_many:
            self.too_many -= 1
            return httpx.Response(429, headers={"retry-after": "3"})
        if path.endswith("/token"):
            form = parse_qs(body.decode())
            good = self.token_is_good and form["client_secret"][0].endswith("secret")
            token = {"access_token": "t", "api_domain": "https://www.zohoapis.eu"} if good else {"error": "invalid"}
            return httpx.Response(200, json=token)
        if not self.token_is_good:
            return httpx.Response(401, json={"error": "no"})
        said = msgspec.json.decode(body) if body else None
        answers: dict[str, Answers] = {
            "salesforce": self._salesforce, "pipedrive": self._pipedrive, "close": self._close,
            "aircall": self._aircall, "zoho": self._zoho,
        }  # fmt: skip
        return answers[self.kind](request.method, path, said)

    def _salesforce(self, _method: str, path: str, _said: Any) -> httpx.Response:
        assert path == "/services/data/v68.0/limits"
        return httpx.Response(200, json={"DailyApiRequests": {"Max": 100, "Remaining": 99}})

    def _pipedrive(self, method: str, path: str, said: Any) -> httpx.Response:
        if path == "/api/v1/users/me":
            return httpx.Response(200, json={"data": {"id": 7, "is_admin": 1}}, headers={"x-daily-requests-left": "9"})
        if method == "POST":
            id = str(len(self.asked))
            self.hooks[id] = {"id": int(id), "is_active": 1, **said}
        if method == "DELETE":
            del self.hooks[path.rpartition("/")[2]]
        return httpx.Response(200, json={"data": list(self.hooks.values())})

    def _close(self, method: str, path: str, said: Any) -> httpx.Response:
        if path == "/api/v1/me/":
            return httpx.Response(200, json={"id": "user_1"})
        if method == "POST":
            self.hooks["whsub_1"] = {"id": "whsub_1", "status": "active", **said}
            return httpx.Response(201, json=self.hooks["whsub_1"] | {"signature_key": "ab" * 16})
        if method == "PUT":
            self.hooks[path.split("/")[-2]] |= said
        return httpx.Response(200, json={"data": list(self.hooks.values())})

    def _aircall(self, method: str, path: str, said: Any) -> httpx.Response:
        if path == "/v1/ping":
            return httpx.Response(200, json={"ping": "pong"})
        if method == "POST":
            hook = self.hooks["w1"] = {"webhook_id": "w1", "active": True, "token": "air-token", **said}
            return httpx.Response(201, json={"webhook": hook})
        if method == "PUT":
            self.hooks["w1"] |= said
        return httpx.Response(200, json={"webhooks": list(self.hooks.values())})

    def _zoho(self, method: str, path: str, said: Any) -> httpx.Response:
        if path == "/crm/v8/users":
            return httpx.Response(200, json={"users": [{"id": "9"}]})
        if method in {"POST", "PUT"}:
            (entry,) = said["watch"]
            assert "." not in entry["channel_expiry"]
            self.hooks[entry["channel_id"]] = entry
        if method == "GET" and not self.hooks:
            return httpx.Response(204)
        watch = [
            {"channel_id": id, "notify_url": entry["notify_url"], "channel_expiry": entry["channel_expiry"],
             "resource_name": event.partition(".")[0]}
            for id, entry in self.hooks.items() for event in entry["events"]
        ]  # fmt: skip
        return httpx.Response(200, json={"watch": watch})


def opens(crm: Crm, waited: list[float] | None = None) -> Opens:
    def make(address: str, **named: Any) -> Asker:
        sleeps: list[float] = [] if waited is None else waited
        return Asker(address, transport=httpx.MockTransport(crm), sleep=sleeps.append, **named)

    return make


def connection(kind: str) -> Connection:
    return read_connection({"kind": kind, "public_url": PLACE, **SETTINGS[kind]})


MADE = {"pipedrive": 4, "close": 1, "aircall": 1, "zoho": 1}


@pytest.mark.parametrize("kind", MADE)
def test_subscriptions_are_made_once(kind: str) -> None:
    crm = Crm(kind)

    first = connect("crm", connection(kind), NOW, opens=opens(crm))
    second = connect("crm", connection(kind), NOW, opens=opens(crm))

    assert first is not None
    assert second is not None
    assert (len(first.actions), second.actions, len(crm.hooks)) == (MADE[kind], [], MADE[kind])
    assert first.secrets == {"close": ["ab" * 16], "aircall": ["air-token"]}.get(kind, [])
    found = list(look_online("crm", connection(kind), last_delivery_at=NOW, opens=opens(crm)))
    assert not any(each.is_wrong for each in found), found
    assert found[-1].words == "last delivery: 2026-11-29T12:00:00.000Z"


def test_what_the_vendor_switched_off_is_mended() -> None:
    wrongs: dict[str, dict[str, Any]] = {
        "pipedrive": {"is_active": 0, "remove_reason": "failed"},
        "close": {"status": "paused"},
        "aircall": {"active": False},
    }
    for kind, wrong in wrongs.items():
        crm = Crm(kind)
        connect("crm", connection(kind), NOW, opens=opens(crm))
        next(iter(crm.hooks.values())).update(wrong)
        found = list(look_online("crm", connection(kind), last_delivery_at=None, opens=opens(crm)))
        assert sum(each.is_wrong for each in found) == 1

        done = connect("crm", connection(kind), NOW, opens=opens(crm))

        assert done is not None
        assert len(done.actions) == 1
        assert len(crm.hooks) == MADE[kind]
        found = list(look_online("crm", connection(kind), last_delivery_at=None, opens=opens(crm)))
        assert not any(each.is_wrong for each in found)


def test_a_subscription_that_lacks_events_is_told_and_mended() -> None:
    crm = Crm("close")
    connect("crm", connection("close"), NOW, opens=opens(crm))
    del crm.hooks["whsub_1"]["events"][0]

    found = list(look_online("crm", connection("close"), last_delivery_at=None, opens=opens(crm)))
    assert [each.words for each in found if each.is_wrong] == ["subscription for activity.call.created: lacks events"]
    connect("crm", connection("close"), NOW, opens=opens(crm))
    assert len(crm.hooks["whsub_1"]["events"]) == 24


def test_zohos_channel_is_renewed_at_half_of_its_time() -> None:
    crm = Crm("zoho")
    connect("crm", connection("zoho"), NOW, opens=opens(crm))
    early = connect("crm", connection("zoho"), NOW + 3 * DAY, opens=opens(crm))
    late = connect("crm", connection("zoho"), NOW + 4 * DAY, opens=opens(crm))

    assert early is not None
    assert late is not None
    assert (early.actions, len(late.actions), len(crm.hooks)) == ([], 1, 1)
    (entry,) = crm.hooks.values()
    assert from_datetime(datetime.fromisoformat(entry["channel_expiry"])) == NOW + 4 * DAY + int(
        timedelta(days=6, hours=23).total_seconds() * 1_000_000
    )


@pytest.mark.parametrize("kind", SETTINGS)
def test_bad_credentials_are_told_and_no_secret(kind: str) -> None:
    crm = Crm(kind)
    crm.token_is_good = False

    with pytest.raises(OnlineError) as caught:
        connect("crm", connection(kind), NOW, opens=opens(crm))

    assert "credentials are not taken" in str(caught.value)
    assert "secret" not in str(caught.value).replace("client_secret", "")
    found = list(look_online("crm", connection(kind), last_delivery_at=None, opens=opens(crm)))
    assert [each.is_wrong for each in found] == [True, False]


def test_salesforces_messages_are_made_by_hand() -> None:
    crm = Crm("salesforce")

    assert connect("crm", connection("salesforce"), NOW, opens=opens(crm)) is None
    found = [
        each.words for each in look_online("crm", connection("salesforce"), last_delivery_at=None, opens=opens(crm))
    ]
    assert found[1:3] == [
        "outbound messages: Salesforce does not tell of them; the last delivery does",
        "limits: 99 of 100 requests left in 24 h",
    ]


def test_too_many_requests_wait_as_told() -> None:
    crm = Crm("aircall")
    crm.too_many = 2
    waited: list[float] = []

    connect("crm", connection("aircall"), NOW, opens=opens(crm, waited))

    assert waited == [3.0, 3.0]


def test_whoever_cannot_be_reached_is_told_so() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no", request=request)

    def make(address: str, **named: Any) -> Asker:
        return Asker(address, transport=httpx.MockTransport(away), **named)

    (finding, _) = look_online("crm", connection("close"), last_delivery_at=None, opens=make)
    assert (finding.is_wrong, finding.is_away) == (True, True)


def test_every_kind_has_steps() -> None:
    assert STEPS.keys() == KINDS.keys()
    assert "https://f.example/webhooks/x" in "\n".join(steps("generic", "https://f.example/webhooks/x"))
