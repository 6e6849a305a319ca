"""Cases from the field: the files of tests/fixtures/field, and their deliveries as their senders sign them.

Each case has `T` for the instant of the test. Owns no expectation.
"""

import json
import re
from pathlib import Path
from typing import Any

from schemas.config import Config
from schemas.connectors.hubspot.signatures import sign_v3
from schemas.connectors.standard_webhooks import read_key, sign
from schemas.instants import HOUR, MINUTE, SECOND, format_instant

FIELD = Path(__file__).parent / "fixtures" / "field"
UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR}
PORT = "127.0.0.1:PORT"

Json = dict[str, Any]


def case(number: str, at: int, url: str) -> Json:
    """The case with this number, with `T` at an instant, and the address of the floorcast that it is posted to."""
    (path,) = FIELD.glob(f"{number}-*.json")

    def dated(found: re.Match[str]) -> str:
        moved = int(found[2] or 0) * UNITS[found[3] or "s"] * (-1 if found[1] == "-" else 1)
        return str((at + moved) // 1000) if found[4] else format_instant(at + moved)

    # Within a body that is a text, instants stand in quotes that are escaped.
    text = re.sub(r'(?<=")T(?:([+-])(\d+)([smh]))?( in ms)?(?=\\?")', dated, path.read_text(encoding="utf-8"))
    found: Json = json.loads(text.replace(PORT, url.removeprefix("http://")))
    for event in (event for delivery in found["deliveries"] for event in delivery.get("body", ())):
        if "occurredAt" in event:
            event["occurredAt"] = int(event["occurredAt"])
    return found


def written(found: Json) -> str:
    """Its floorcast.yaml."""
    config = found["config"]
    return config if isinstance(config, str) else json.dumps(config)


def signed(delivery: Json, config: Config, *, id: str, now: int, url: str) -> tuple[str, dict[str, str], bytes]:
    """Path, headers and body of a delivery, as its sender posts it."""
    name = delivery["connection"]
    connection = config.connections[name]
    raw = delivery.get("raw body")
    body = (json.dumps(delivery["body"]) if raw is None else raw).encode()
    path = delivery.get("path", f"/webhooks/{name}")
    secret = connection.secrets[0].get_secret_value()
    headers = {"content-type": "application/json"}
    if connection.kind == "hubspot":
        said_at = str(now // 1000)
        headers["x-hubspot-request-timestamp"] = said_at
        headers["x-hubspot-signature-v3"] = sign_v3(
            secret.encode(), method="POST", url=url + path, body=body, timestamp=said_at
        )
    else:
        said_at = str(now // SECOND)
        signature = sign(read_key(secret, "secret"), message_id=id, timestamp=said_at, body=body)
        names = delivery.get("headers", ("webhook-id", "webhook-timestamp", "webhook-signature"))
        headers |= dict(zip(names, (id, said_at, signature), strict=True))
    return path, headers, body
