"""What webhooks of each kind come to in numbers, whatever their order and repetition: a few lives of records.

The values are those of the contract, by the vendor's words; the stream and the recount must both say them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from schemas.connectors.base import Connector
from tests.builders import instant, make_config
from tests.oracle import recount
from tests.pipeline import Pipeline, served
from tests.schemas.connectors import (
    test_aircall,
    test_close,
    test_hubspot,
    test_pipedrive,
    test_salesforce,
    test_zoho,
)
from tests.schemas.connectors.cases import AIRCALL, CLOSE, HUBSPOT, PIPEDRIVE, SALESFORCE, ZOHO, connect, parse

NOW = instant("2026-04-20T12:00Z")
CONFIG = make_config(currency="EUR")
Events = Sequence[Any]


def _close(name: str, at: str | None = None, data: Mapping[str, Any] | None = None, **more: Any) -> Any:
    return test_close._event(name, at=at, data=None if data is None else dict(data), **more)


def _hubspot(type_id: str, *said: tuple[str, Any, int]) -> list[Any]:
    """Properties, each with its milliseconds after the first."""
    return [test_hubspot._set(type_id, name, value, at=test_hubspot.T + after) for name, value, after in said]


def _cdc(name: str) -> list[Any]:
    return test_salesforce._events(f"pubsub_{name}")


T = str(test_hubspot.T)
CONNECTED = "f240bbac-87c9-4f6e-bf70-924b57d47db7"
CALLED = (("hs_call_direction", "OUTBOUND", 0), ("hs_timestamp", T, 0), ("hs_call_status", "COMPLETED", 0))
STORIES: Mapping[str, tuple[Connector, Events, Mapping[str, Any]]] = {
    "close: a call from the first ring to its end": (
        CLOSE.connector(), [_close("call_created"), _close("call_answered"), _close("call_completed")],
        {"calls_made": 1, "calls_connected": 1, "talk_seconds": 187},
    ),
    "close: a call logged by hand without a disposition is not connected": (
        CLOSE.connector(), [_close("call_completed", action="created", data={"disposition": None, "duration": 300})],
        {"calls_made": 1, "calls_connected": 0, "talk_seconds": 0},
    ),
    "close: a reschedule books nothing, an outcome says that it was held": (
        connect("close", CLOSE.secrets[:1], outcomes={"o-held": "held"}),
        [
            _close("meeting_scheduled"),
            _close("meeting_scheduled", "2026-03-11T09:00:00", {"starts_at": "2026-03-13T17:00:00+00:00"}),
            _close("meeting_completed", "2026-03-13T17:30:01",
                   {"outcome_id": "o-held", "starts_at": "2026-03-13T17:00:00+00:00"}),
        ],
        {"meetings_booked": 1, "meetings_held": 1},
    ),
    "close: cents, by the change of status and by the opportunity": (
        CLOSE.connector(), [_close("opportunity_won"), _close("opportunity_status_change")],
        {"deals_won": 1, "revenue_won": "48500.00"},
    ),
    "close: what is paid monthly is no revenue won": (
        CLOSE.connector(), [_close("opportunity_won", data={"value_period": "monthly"})],
        {"deals_won": 1, "revenue_won": "0.00"},
    ),
    "close: a mail, its answer, and one of a sequence": (
        CLOSE.connector(),
        [
            _close("email_sent"), _close("email_reply_received"),
            _close("email_sent", object_id="acti_other", data={"id": "acti_other", "sequence_id": "seq_1"}),
        ],
        {"emails_sent": 1, "emails_received": 1, "conversations": 1},
    ),
    "aircall: ringing is no talk": (
        AIRCALL.connector(),
        [test_aircall._event(f"call_{name}") for name in ("created", "answered", "hungup", "ended_outbound_answered")],
        {"calls_made": 1, "calls_connected": 1, "talk_seconds": 187},
    ),
    "pipedrive: a planned call counts once it is done, and its planned length is no talk": (
        PIPEDRIVE.connector(),
        [test_pipedrive._event(f"v2_activity_{name}") for name in ("create_call_planned", "call_done")],
        {"calls_made": 1, "calls_connected": 0, "talk_seconds": 0},
    ),
    "pipedrive: a deal that was won, deleted and restored": (
        PIPEDRIVE.connector(),
        [
            test_pipedrive._event("v2_deal_create"), test_pipedrive._event("v2_deal_won"),
            test_pipedrive._event("v2_deal_delete", at="2026-03-19T00:00:00.000Z", entity_id="746"),
            test_pipedrive._event("v2_deal_won", before={"is_deleted": True}, at="2026-03-20T00:00:00.000Z"),
        ],
        {"deals_won": 1, "revenue_won": "48500.00"},
    ),
    "salesforce: a call and mails of change events": (
        SALESFORCE.connector(), [*_cdc("task_call_create"), *_cdc("emailmessage_sent_and_reply")],
        {"calls_made": 1, "emails_sent": 1, "emails_received": 1},
    ),
    "salesforce: an opportunity is made and won": (
        SALESFORCE.connector(), [*_cdc("opportunity_create"), *_cdc("opportunity_won")], {"deals_won": 1},
    ),
    "hubspot: a call by its disposition, not by its status": (
        HUBSPOT.connector(),
        _hubspot("0-48", *CALLED, ("hs_call_disposition", CONNECTED, 0), ("hs_call_duration", "61000", 0)),
        {"calls_made": 1, "calls_connected": 1, "talk_seconds": 61, "conversations": 1},
    ),
    "hubspot: a completed call is not connected by that": (
        HUBSPOT.connector(),
        _hubspot("0-48", *CALLED),
        {"calls_made": 1, "calls_connected": 0},
    ),
    "hubspot: a mail that was scheduled counts once it is sent": (
        HUBSPOT.connector(),
        _hubspot("0-49", ("hs_email_direction", "EMAIL", 0), ("hs_timestamp", T, 0),
                 ("hs_email_status", "SCHEDULED", 0), ("hs_email_status", "SENT", 60_000)),
        {"emails_sent": 1},
    ),
    "hubspot: a stage of its own that is won, and a win that is taken back": (
        HUBSPOT.connector(),
        [
            *_hubspot("0-3", ("dealstage", "1234567", 0), ("hs_is_closed_won", "true", 0), ("amount", "100", 0)),
            *_hubspot("0-3", ("dealstage", "contractsent", 9000), ("hs_is_closed_won", "false", 9000)),
        ],
        {"deals_won": 0, "revenue_won": "0.00"},
    ),
    "zoho: a won deal, and one that was deleted": (
        ZOHO.connector(),
        [
            test_zoho._values("Deals", {"Stage": "Closed Won", "Amount": 48500, "Currency": "EUR"}),
            test_zoho._values("Deals", {"Stage": "Closed Won", "Amount": 9}, id="2"),
            test_zoho._event("deal_delete", ids=["2"]),
        ],
        {"deals_won": 1, "revenue_won": "48500.00"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STORIES)
def test_a_story_comes_to_its_numbers_in_any_order(name: str) -> None:
    connector, events, expected = STORIES[name]

    for order in (events, events[::-1], [*events[1:], *events[:1]]):
        changes = [change for event in order for change in parse(connector, [event], received_at=NOW).changes]
        pipeline = Pipeline(CONFIG)
        pipeline.take(changes)
        pipeline.take(changes[:2])
        for rows in (
            served(pipeline.view(), now=NOW, window="year"),
            recount(changes, CONFIG).rows(now=NOW, window="year"),
        ):
            metrics = rows["organisation"]["metrics"]
            assert {each: metrics[each] for each in expected} == expected
