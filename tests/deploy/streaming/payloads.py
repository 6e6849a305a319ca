"""Change events as Salesforce's documents show them."""

import json
from pathlib import Path
from typing import Any

from schemas.connectors.salesforce.connector import Salesforce, SalesforceConnection

ORGANIZATION = "00D5g000004XYZaEAO"
CHANNEL = "/data/ChangeEvents"
_FIXTURES = Path(__file__).parents[2] / "fixtures" / "crm" / "salesforce"


def fixture(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((_FIXTURES / name).read_text())
    return found


def settings(**more: Any) -> dict[str, Any]:
    return {
        "kind": "salesforce",
        "organization": ORGANIZATION,
        "secrets": ["a-long-word-nobody-guesses"],
        **more,
    }


CONNECTOR = Salesforce(SalesforceConnection.model_validate(settings()))


def won(number: int, at_ms: int = 1_773_852_090_000) -> dict[str, Any]:
    """A deal that is won, one of many."""
    payload: dict[str, Any] = dict(fixture("cdc_pubsub_opportunity_won.json")["payload"])
    header = dict(payload["ChangeEventHeader"])
    header |= {"recordIds": [f"0065f{number:013d}"], "commitTimestamp": at_ms + number, "commitNumber": number}
    return payload | {"ChangeEventHeader": header}
