"""What every connector must hold, whatever it speaks: one case per kind, filled with a way to sign and some bodies.

Signatures are computed here anew from the vendors' documents, not by the code under test.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from schemas.connectors import build_connector, read_connection
from schemas.connectors.base import Connector, Parsed, SignedRequest
from schemas.deliveries import Delivery
from schemas.instants import SECOND, parse_instant

FIXTURES = Path(__file__).parents[2] / "fixtures" / "crm"
NOW = parse_instant("2026-03-18T16:45:00Z")
URL = "https://floor.example.com/webhooks/crm"


@dataclass(frozen=True, slots=True)
class ConnectorCase:
    """One kind of connection."""

    kind: str
    secrets: tuple[str, str]
    sign: Callable[[bytes, int, str], SignedRequest]
    """Body, instant, secret -> the request as the vendor sends it."""
    good: Any
    """Events that are all readable."""
    unknown: Any
    """An event of a type that nobody knows, and the reason it is counted under."""
    unknown_reason: str
    redelivered: Any
    """`good` as it comes again."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What such an entry must have beside its secrets."""
    proves_time: bool = True
    """Whether what is signed holds an instant."""
    proves_body: bool = True
    """Whether what is signed covers the body."""
    media: str = "application/json"
    """The content type of what is posted."""

    def connector(self, secrets: Sequence[str] | None = None, namespace: str = "") -> Connector:
        return connect(self.kind, self.secrets[:1] if secrets is None else secrets, namespace, **self.settings)

    def unproven(self, request: SignedRequest) -> SignedRequest:
        """A request with the proof of another body, or with none."""
        if self.proves_body:
            return replace(request, body=request.body + b" ")
        return self.sign(request.body, NOW, self.secrets[1])

    def request(self, *, body: bytes | None = None, at: int = NOW, secret: str | None = None) -> SignedRequest:
        return self.sign(dump(self.good) if body is None else body, at, secret or self.secrets[0])


def connect(kind: str, secrets: Sequence[str], namespace: str = "", **more: Any) -> Connector:
    return build_connector(
        read_connection(
            {
                "kind": kind,
                "secrets": list(secrets),
                "public_url": "https://floor.example.com",
                "namespace": namespace,
                **more,
            }
        )
    )


def fixture(path: str) -> Any:
    return json.loads((FIXTURES / path).read_text(encoding="utf-8"))


def dump(value: Any) -> bytes:
    return json.dumps(value).encode()


def parse(
    connector: Connector, body: Any, *, headers: Mapping[str, str] | None = None, received_at: int = NOW
) -> Parsed:
    raw = body if isinstance(body, bytes) else dump(body)
    return connector.parse(Delivery("feed", received_at, dict(headers or {"content-type": "application/json"}), raw))


def sign_standard(body: bytes, at: int, secret: str, *, message_id: str = "msg_1") -> SignedRequest:
    timestamp = str(at // SECOND)
    text = secret.removeprefix("whsec_")
    key = base64.b64decode(text + "=" * (-len(text) % 4))
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return SignedRequest(
        "POST",
        URL,
        {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": "v1," + base64.b64encode(digest).decode(),
        },
        body,
    )


def sign_hubspot(body: bytes, at: int, secret: str) -> SignedRequest:
    timestamp = str(at // 1000)
    content = b"POST" + URL.encode() + body + timestamp.encode()
    digest = hmac.new(secret.encode(), content, hashlib.sha256).digest()
    return SignedRequest(
        "POST",
        URL,
        {
            "content-type": "application/json",
            "x-hubspot-request-timestamp": timestamp,
            "x-hubspot-signature": hashlib.sha256(secret.encode() + body).hexdigest(),
            "x-hubspot-signature-version": "v1",
            "x-hubspot-signature-v3": base64.b64encode(digest).decode(),
        },
        body,
    )


def sign_close(body: bytes, at: int, secret: str) -> SignedRequest:
    timestamp = str(at // SECOND)
    digest = hmac.new(bytes.fromhex(secret), timestamp.encode() + body, hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json", "close-sig-timestamp": timestamp, "close-sig-hash": digest}
    return SignedRequest("POST", URL, headers, body)


def sign_token(body: bytes, _at: int, secret: str) -> SignedRequest:
    """Vendors that prove themselves by a token in the body, which is an object."""
    try:
        said = json.loads(body)
    except ValueError:
        said = {}
    event = said[0] if isinstance(said, list) and said else said
    signed = dump({**(event if isinstance(event, dict) else {}), "token": secret})
    return SignedRequest("POST", URL, {"content-type": "application/json"}, signed)


def sign_basic(body: bytes, _at: int, secret: str) -> SignedRequest:
    given = "Basic " + base64.b64encode(secret.encode()).decode()
    return SignedRequest("POST", URL, {"content-type": "application/json", "authorization": given}, body)


def sign_path(_body: bytes, _at: int, secret: str) -> SignedRequest:
    """Salesforce: the proof is in the path and in the organisation that the message names."""
    body = (FIXTURES / "salesforce" / "outbound_opportunity_won.xml").read_bytes()
    return SignedRequest("POST", f"{URL}/{secret}", {"content-type": "text/xml; charset=UTF-8"}, body)


# The event of the contract, section "Webhooks in".
CALL = {
    "record": "call",
    "id": "c-1017",
    "changed_at": "2026-03-18T16:41:30.344Z",
    "deleted": False,
    "fields": {
        "rep": "r-17",
        "lead": "l-5",
        "direction": "outbound",
        "dialed_at": "2026-03-18T16:38:02.000Z",
        "answered_at": "2026-03-18T16:38:10.000Z",
        "ended_at": "2026-03-18T16:41:20.000Z",
    },
}

GENERIC = ConnectorCase(
    kind="generic",
    secrets=("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_oga5uLOdkBPoOSxe2WSDxGZtsis9u/L6Ziqk044/b1g="),
    sign=sign_standard,
    good=[CALL],
    unknown=CALL | {"record": "invoice"},
    unknown_reason="unknown_kind",
    redelivered=[CALL],
)

_STAGE = fixture("hubspot/deal_stage_change.json")

HUBSPOT = ConnectorCase(
    kind="hubspot",
    secrets=("0b1c2d3e-4f50-4617-8899-aabbccddeeff", "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"),
    sign=sign_hubspot,
    good=_STAGE,
    unknown=_STAGE[0] | {"subscriptionType": "company.creation"},
    unknown_reason="unknown_type",
    redelivered=[event | {"attemptNumber": 3, "eventId": 77} for event in _STAGE],
)

_WON = fixture("close/opportunity_won.json")

CLOSE = ConnectorCase(
    kind="close",
    secrets=(
        "b9260244ef33625f9b4b26a27db08758cdd39478b852c73f2d33ab042eb8abb4",
        "2c4b4e936133b13a7190eccac8cdb28faecc9a7ad44fe187505b12d789ca3925",
    ),
    sign=sign_close,
    good=[_WON],
    unknown=_WON | {"event": _WON["event"] | {"object_type": "activity.note"}},
    unknown_reason="unknown_type",
    redelivered=[_WON],
)

_ENDED = fixture("aircall/call_ended_outbound_answered.json")

AIRCALL = ConnectorCase(
    kind="aircall",
    secrets=("45XXYYZZa08example", "another-webhook-token"),
    sign=sign_token,
    good=[_ENDED],
    unknown=_ENDED | {"event": "contact.created"},
    unknown_reason="unknown_type",
    redelivered=[_ENDED],
    proves_time=False,
    proves_body=False,
)

_DEAL = fixture("pipedrive/v2_deal_won.json")

PIPEDRIVE = ConnectorCase(
    kind="pipedrive",
    secrets=("sales-metrics:s3cr:et \u20ac", "sales-metrics:another one"),
    sign=sign_basic,
    good=[_DEAL],
    unknown=_DEAL | {"meta": _DEAL["meta"] | {"entity": "note"}},
    unknown_reason="unknown_type",
    redelivered=[_DEAL | {"meta": _DEAL["meta"] | {"attempt": 3}}],
    proves_time=False,
    proves_body=False,
)

_CHANGE = fixture("salesforce/cdc_pubsub_opportunity_won.json")

SALESFORCE = ConnectorCase(
    kind="salesforce",
    secrets=("path-secret-4711", "path-secret-4712"),
    sign=sign_path,
    good=[_CHANGE],
    unknown=_CHANGE
    | {
        "payload": _CHANGE["payload"]
        | {"ChangeEventHeader": _CHANGE["payload"]["ChangeEventHeader"] | {"entityName": "Account"}}
    },
    unknown_reason="unknown_type",
    redelivered=[_CHANGE | {"replay_id_base64": "AAAAAAAAB+wAAA=="}],
    settings={"organization": "00D5f000004XyZa"},
    proves_time=False,
    proves_body=False,
    media="text/xml",
)

_NOTIFIED = fixture("zoho/notification_deal_update_with_values.json")

ZOHO = ConnectorCase(
    kind="zoho",
    secrets=("tok_9f2c_sales_metrics_zoho", "tok_another_one"),
    sign=sign_token,
    good=[_NOTIFIED],
    unknown=_NOTIFIED | {"module": "Contacts"},
    unknown_reason="unknown_type",
    redelivered=[_NOTIFIED],
    settings={"api": {"region": "eu", "client_id": "id", "client_secret": "s", "refresh_token": "r"}},
    proves_time=False,
    proves_body=False,
)

CASES = (GENERIC, HUBSPOT, CLOSE, AIRCALL, PIPEDRIVE, SALESFORCE, ZOHO)
