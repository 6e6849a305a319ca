"""What each CRM is asked for its set-up: whether the token is good, what is subscribed, and to subscribe.

Owns the requests of each vendor, as /docs/connectors name their pages. A CRM whose subscriptions are made by hand has
none to make. What a vendor shows only once (a key, a token) is handed on to whoever has typed the command.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Protocol, TypeVar
from zlib import crc32

from deploy.subscribing.asking import Asker, OnlineError, members
from schemas.connectors.aircall.connector import EVENTS as AIRCALL_EVENTS
from schemas.connectors.aircall.connector import AircallConnection
from schemas.connectors.asking import BadAnswerError, CrmAnswer
from schemas.connectors.close.connector import CloseConnection
from schemas.connectors.connection import Connection
from schemas.connectors.pipedrive.connector import PipedriveConnection
from schemas.connectors.salesforce.connector import SalesforceConnection
from schemas.connectors.salesforce.token import log_in
from schemas.connectors.zoho.connector import ZohoConnection
from schemas.instants import to_datetime

ACTIVE = "active"
NOT_OURS = "another token than in secrets"
MISSING = "missing"
_T = TypeVar("_T")
Opens = Callable[..., Asker]
"""Makes an Asker: tests give it a transport."""


@dataclass(slots=True)
class WebhookState:
    """What a CRM says of the webhooks to one address."""

    state: str
    """`active`, `missing`, or the vendor's word for what is wrong."""
    id: str | None = None
    detail: str = ""
    expires_at: int | None = None


@dataclass(slots=True)
class SubscribeResult:
    """What was done, in words, and what has to be put into floorcast.yaml."""

    actions: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)


class Vendor(Protocol):
    """One connection's CRM. Everything raises OnlineError."""

    def greet(self) -> str:
        """Ask whether the token is good; who it is."""

    def look(self, url: str) -> list[WebhookState]:
        """What is subscribed to this address: an entry for each that there should be. None: not made by an API."""

    def subscribe(self, url: str, now: int) -> SubscribeResult:
        """Make what is missing, and mend what does not work."""

    def limits(self) -> str | None:
        """What is left of the vendor's limits, as far as the last answer said so."""


class PipedriveWebhooks:
    """`/api/v1/webhooks`: one for each kind of object."""

    objects = ("deal", "lead", "activity", "user")

    def __init__(self, connection: PipedriveConnection, opens: Opens) -> None:
        api = _there(connection.api)
        self._user, _, self._password = connection.secrets[0].get_secret_value().partition(":")
        address = api.url or f"https://{api.company}.pipedrive.com"
        self._api = opens(address, headers={"x-api-token": api.token.get_secret_value().strip()})

    def greet(self) -> str:
        """The user of the token; one who is no admin does not see everything."""
        said = _object(self._api.ask("GET", "/api/v1/users/me"), "data")
        return f"user {said.get('id')}" + ("" if said.get("is_admin") else ", who is no admin: does not see everything")

    def look(self, url: str) -> list[WebhookState]:
        """One for each object."""
        hooks = members(self._api.ask("GET", "/api/v1/webhooks"), "data")
        mine = [each for each in hooks if each.get("subscription_url") == url]
        return [self._state(name, mine) for name in self.objects]

    def _state(self, name: str, mine: list[dict[str, Any]]) -> WebhookState:
        found = [each for each in mine if each.get("event_object") in {name, "*"} and each.get("event_action") == "*"]
        for each in found:
            if each.get("is_active"):
                return WebhookState(ACTIVE, str(each.get("id")), name)
        if found:
            reason = found[0].get("remove_reason") or "inactive"
            return WebhookState(str(reason), str(found[0].get("id")), name)
        return WebhookState(MISSING, None, name)

    def subscribe(self, url: str, now: int) -> SubscribeResult:
        """A webhook that is not active cannot be mended: it is made anew."""
        done = SubscribeResult()
        for state in self.look(url):
            if state.state == ACTIVE:
                continue
            if state.id is not None:
                self._api.ask("DELETE", f"/api/v1/webhooks/{state.id}")
            body = {
                "subscription_url": url, "event_action": "*", "event_object": state.detail, "version": "2.0",
                "name": f"floorcast {state.detail}", "http_auth_user": self._user, "http_auth_password": self._password,
            }  # fmt: skip
            self._api.ask("POST", "/api/v1/webhooks", json=body)
            done.actions.append(f"made the webhook for {state.detail}")
        return done

    def limits(self) -> str | None:
        """Of the day, and of the two seconds."""
        return _left(self._api.headers, {"x-daily-requests-left": "today", "x-ratelimit-remaining": "at once"})


CLOSE_EVENTS: Mapping[str, tuple[str, ...]] = {
    "activity.call": ("created", "answered", "completed", "updated", "deleted"),
    "activity.email": ("created", "sent", "deleted"),
    "activity.meeting": ("created", "scheduled", "started", "completed", "canceled", "updated", "deleted"),
    "activity.opportunity_status_change": ("created",),
    "activity.lead_status_change": ("created",),
    "opportunity": ("created", "updated", "deleted"),
    "lead": ("created", "updated", "deleted", "merged"),
}


class CloseWebhooks:
    """`/api/v1/webhook/`: one subscription with all events."""

    def __init__(self, connection: CloseConnection, opens: Opens) -> None:
        api = _there(connection.api)
        self._api = opens(api.url or "https://api.close.com", basic=(api.key.get_secret_value().strip(), ""))

    def greet(self) -> str:
        """The user of the key."""
        return f"user {self._api.ask('GET', '/api/v1/me/').get('id')}"

    def look(self, url: str) -> list[WebhookState]:
        """The subscription, and whether it has every event; of several at this address the one that has most."""
        mine = [each for each in members(self._api.ask("GET", "/api/v1/webhook/"), "data") if each.get("url") == url]
        if not mine:
            return [WebhookState(MISSING)]
        wanted = _pairs(_close_events())
        lacks = [sorted(wanted - _pairs(each.get("events") or [])) for each in mine]
        each, lacking = max(
            zip(mine, lacks, strict=True), key=lambda one: (one[0].get("status") == ACTIVE, -len(one[1]))
        )
        if each.get("status") == ACTIVE and lacking:
            return [WebhookState("lacks events", str(each["id"]), ", ".join(map(".".join, lacking)))]
        return [WebhookState(str(each.get("status")), str(each["id"]))]

    def subscribe(self, url: str, now: int) -> SubscribeResult:
        """The signature key is in the answer to the making of it, and nowhere else."""
        (state,) = self.look(url)
        if state.state == ACTIVE:
            return SubscribeResult()
        if state.id is not None:
            body: dict[str, Any] = {"status": ACTIVE, "events": _close_events()}
            self._api.ask("PUT", f"/api/v1/webhook/{state.id}/", json=body)
            return SubscribeResult([f"mended the subscription {state.id}, which was: {state.state}"])
        body = {"url": url, "events": _close_events(), "verify_ssl": True}
        made = self._api.ask("POST", "/api/v1/webhook/", json=body)
        return SubscribeResult([f"made the subscription {made.get('id')}"], [str(made.get("signature_key"))])

    def limits(self) -> str | None:
        """Of the group of requests that the last one was of."""
        return self._api.headers.get("ratelimit")


class AircallWebhooks:
    """`/v1/webhooks`: one for the address."""

    most = 50
    """Of a page."""

    def __init__(self, connection: AircallConnection, opens: Opens) -> None:
        api = _there(connection.api)
        self._secrets = _secrets(connection)
        basic = (api.id, api.token.get_secret_value().strip())
        self._api = opens(api.url or "https://api.aircall.io", basic=basic)

    def greet(self) -> str:
        """It answers nothing but that it is there."""
        self._api.ask("GET", "/v1/ping")
        return "the company of the API id"

    def look(self, url: str) -> list[WebhookState]:
        """The webhook of this address; of several the one whose token is ours, and that is active."""
        mine = [each for each in self._hooks() if each.get("url") == url]
        if not mine:
            return [WebhookState(MISSING)]
        found = max(mine, key=lambda each: (self._carries_ours(each), bool(each.get("active"))))
        state = ACTIVE if self._carries_ours(found) else NOT_OURS
        return [WebhookState(state if found.get("active") else "inactive", str(found.get("webhook_id")))]

    def _hooks(self) -> list[dict[str, Any]]:
        """Of every page; one that holds nothing new is the last, whatever its length."""
        found: dict[str, dict[str, Any]] = {}
        for page in count(1):
            said = self._api.ask("GET", f"/v1/webhooks?per_page={self.most}&page={page}")
            hooks = members(said, "webhooks")
            before = len(found)
            found |= {str(each.get("webhook_id")): each for each in hooks}
            if len(hooks) < self.most or len(found) == before:
                break
        return list(found.values())

    def subscribe(self, url: str, now: int) -> SubscribeResult:
        """The token that every body repeats comes with the webhook, and may be asked for again."""
        (state,) = self.look(url)
        if state.state == ACTIVE:
            return SubscribeResult()
        if state.state == NOT_OURS:
            made = _object(self._api.ask("GET", f"/v1/webhooks/{state.id}"), "webhook")
            return SubscribeResult([], [str(made.get("token"))])
        if state.id is not None:
            self._api.ask("PUT", f"/v1/webhooks/{state.id}", json={"active": True})
            return SubscribeResult([f"activated the webhook {state.id} again"])
        body = {"custom_name": "floorcast", "url": url, "events": list(AIRCALL_EVENTS)}
        made = _object(self._api.ask("POST", "/v1/webhooks", json=body), "webhook")
        return SubscribeResult([f"made the webhook {made.get('webhook_id')}"], [str(made.get("token"))])

    def _carries_ours(self, hook: Mapping[str, Any]) -> bool:
        """As far as Aircall tells: else every delivery would be refused."""
        return hook.get("token") is None or str(hook["token"]) in self._secrets

    def limits(self) -> str | None:
        """Of the minute."""
        return _left(self._api.headers, {"x-aircallapi-remaining": "this minute"})


class ZohoChannel:
    """`/crm/v8/actions/watch`: a channel that expires and is renewed at half of its time."""

    events = ("Leads.all", "Deals.all", "Calls.all", "Events.all")
    lasts = timedelta(days=6, hours=23)

    def __init__(self, connection: ZohoConnection, opens: Opens) -> None:
        self._connection = connection
        self._secrets = _secrets(connection)
        self._accounts = opens(connection.api.accounts_url or f"https://{_zoho_accounts(connection.api.region)}")
        self._api = opens(connection.api.url or "https://www.zohoapis.com")
        self._is_known = False

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        if not self._is_known:
            api = self._connection.api
            form = {
                "grant_type": "refresh_token", "client_id": api.client_id,
                "client_secret": api.client_secret.get_secret_value(),
                "refresh_token": api.refresh_token.get_secret_value(),
            }  # fmt: skip
            token, said = _token(self._accounts, "/oauth/v2/token", form)
            self._api.carry("Authorization", f"Zoho-oauthtoken {token}")
            if api.url is None and isinstance(said.get("api_domain"), str):
                self._api.move(said["api_domain"])
            self._is_known = True
        return self._api.ask(method, path, json=body)

    def greet(self) -> str:
        """The user who made the refresh token."""
        users = members(self._ask("GET", "/crm/v8/users?type=CurrentUser"), "users")
        return f"user {users[0].get('id')}" if users else "nobody"

    def look(self, url: str) -> list[WebhookState]:
        """Our channel, and when it expires; of several at this address the one to be mended or renewed first."""
        said = self._ask("GET", "/crm/v8/actions/watch")
        mine = [] if said is None else [each for each in members(said, "watch") if each.get("notify_url") == url]
        if not mine:
            return [WebhookState(MISSING)]
        told = {module for each in mine for module in _modules(each)}
        lacking = [event for event in self.events if event.partition(".")[0] not in told]
        others = [each for each in mine if isinstance(each.get("token"), str) and each["token"] not in self._secrets]
        state = NOT_OURS if others else "lacks events" if lacking else ACTIVE
        # Of several that are in order, the one that ends first.
        ends = [(_epoch(each.get("channel_expiry")), str(each.get("channel_id"))) for each in others or mine]
        expires, channel = min(ends, key=lambda end: end[0] or 0)
        return [WebhookState(state, channel, ", ".join(lacking), expires)]

    def subscribe(self, url: str, now: int) -> SubscribeResult:
        """Make the channel, or renew it once half of its time is over."""
        (state,) = self.look(url)
        half = self.lasts / 2
        left = None if state.expires_at is None else to_datetime(state.expires_at) - to_datetime(now)
        if state.state == ACTIVE and left is not None and left > half:
            return SubscribeResult()
        channel = state.id or str(10**9 + crc32(url.encode()))
        until = (to_datetime(now) + self.lasts).replace(microsecond=0).isoformat()
        entry = {
            "channel_id": channel, "events": list(self.events), "channel_expiry": until, "token": self._secrets[0],
            "notify_url": url, "return_affected_field_values": True, "notify_on_related_action": False,
        }  # fmt: skip
        self._ask("POST" if state.id is None else "PUT", "/crm/v8/actions/watch", {"watch": [entry]})
        # What is too far ahead becomes an hour without a word.
        (after,) = self.look(url)
        if after.expires_at is None:
            raise OnlineError("the channel is not there after it was made")
        verb = "made" if state.id is None else "renewed"
        return SubscribeResult([f"{verb} the channel {channel}, until {to_datetime(after.expires_at).isoformat()}"])

    def limits(self) -> str | None:
        """Told only once half of the day's credits are used."""
        return _left(self._api.headers, {"x-api-credits-remaining": "credits"})


class SalesforceMessages:
    """Outbound messages are made by hand; the token and the limits can be asked."""

    version = "v68.0"

    def __init__(self, connection: SalesforceConnection, opens: Opens) -> None:
        self._settings = _there(connection.api)
        self._api = opens(self._settings.url or "")

    def greet(self) -> str:
        """The user that the client app runs as."""
        steps = log_in(self._settings.client_id, self._settings.client_secret.get_secret_value())
        ask = next(steps)
        try:
            steps.send(CrmAnswer(200, self._api.ask(ask.method, ask.path, form=ask.form)))
        except StopIteration as end:
            self._api.carry("Authorization", f"Bearer {end.value.token}")
        except BadAnswerError as error:
            msg = f"{ask.method} {ask.path}: {error}"
            raise OnlineError(msg) from None
        return "the user of the client app"

    def look(self, url: str) -> list[WebhookState]:
        """Nothing tells of outbound messages."""
        return []

    def subscribe(self, url: str, now: int) -> SubscribeResult:
        """Nothing can be made."""
        return SubscribeResult()

    def limits(self) -> str | None:
        """Of the last 24 hours."""
        said = self._api.ask("GET", f"/services/data/{self.version}/limits").get("DailyApiRequests", {})
        return f"{said.get('Remaining')} of {said.get('Max')} requests left in 24 h"


@contextmanager
def vendor_of(connection: Connection, opens: Opens = Asker) -> Iterator[Vendor | None]:
    """What can be asked of a connection's CRM, while it is open; None: it has no API, or the connection names none."""
    with ExitStack() as stack:
        opened: Opens = lambda *given, **named: stack.enter_context(opens(*given, **named))  # noqa: E731
        yield _VENDORS[type(connection)](connection, opened) if has_api(connection) else None


def has_api(connection: Connection) -> bool:
    """Whether anything can be asked of its CRM."""
    return type(connection) in _VENDORS and getattr(connection, "api", None) is not None


_VENDORS: Mapping[type[Connection], Callable[[Any, Opens], Vendor]] = {
    PipedriveConnection: PipedriveWebhooks,
    CloseConnection: CloseWebhooks,
    AircallConnection: AircallWebhooks,
    ZohoConnection: ZohoChannel,
    SalesforceConnection: SalesforceMessages,
}


def has_webhook_api(connection: Connection) -> bool:
    """Whether its CRM has an API by which webhooks are made."""
    return type(connection) in _VENDORS and not isinstance(connection, SalesforceConnection)


def _there(api: _T | None) -> _T:
    if api is None:
        raise OnlineError("the connection has no api")
    return api


def _token(api: Asker, path: str, form: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """A new token, and what else was said with it. Errors come with 200 too."""
    said = api.ask("POST", path, form=form)
    token = said.get("access_token") if isinstance(said, dict) else None
    if not isinstance(token, str):
        msg = f"POST {path}: the credentials are not taken"
        raise OnlineError(msg)
    return token, said


def _object(answer: Any, name: str) -> dict[str, Any]:
    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, dict):
        msg = f"the answer has no {name}"
        raise OnlineError(msg)
    return found


def _secrets(connection: Connection) -> list[str]:
    return [secret.get_secret_value().strip() for secret in connection.secrets]


def _close_events() -> list[dict[str, str]]:
    return [{"object_type": kind, "action": action} for kind, actions in CLOSE_EVENTS.items() for action in actions]


def _pairs(events: list[Any]) -> set[tuple[str, str]]:
    return {(str(each.get("object_type")), str(each.get("action"))) for each in events if isinstance(each, dict)}


def _modules(watch: Mapping[str, Any]) -> set[str]:
    """The modules of an entry, which is one of its channel; `Meetings` is what newer accounts call Events."""
    events = watch.get("events")
    names = [str(event).partition(".")[0] for event in events] if isinstance(events, list) else []
    return {"Events" if name == "Meetings" else name for name in (*names, str(watch.get("resource_name")))}


def _epoch(text: Any) -> int | None:
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1_000_000)
    except (TypeError, ValueError):
        return None


def _zoho_accounts(region: str) -> str:
    return "accounts.zohocloud.ca" if region == "ca" else f"accounts.zoho.{region}"


def _left(headers: Mapping[str, str], names: Mapping[str, str]) -> str | None:
    found = [f"{headers[name]} left {word}" for name, word in names.items() if name in headers]
    return ", ".join(found) or None
