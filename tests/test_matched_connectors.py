"""A call that Aircall and a CRM tell of, as each of them writes it: whatever comes first, it counts once."""

import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from processor.core.normalise import parse_delivery
from schemas.config import Config
from schemas.connectors import build_connector
from schemas.connectors.asking import GONE, Envelope, encode_envelope
from schemas.deliveries import ASKED_AT, BROUGHT_BY, LOOKUP, Delivery
from schemas.instants import MINUTE, SECOND, format_instant
from schemas.numbers import PhoneNumbers, compared
from schemas.records import RecordChange
from tests.builders import instant, make_config
from tests.oracle import recount, row_of
from tests.pipeline import Pipeline

NOW = instant("2026-03-18T16:45Z")
DIALED = NOW - 30 * MINUTE
SETTINGS: Mapping[str, dict[str, Any]] = {
    "hubspot": {"secrets": ["hubspot-secret"], "public_url": "https://floor.example", "api": {"token": "t"}},
    "salesforce": {"secrets": ["sf-path-secret"], "organization": "00D5g000004XYZa"},
    "zoho": {
        "secrets": ["zoho-token"],
        "api": {"region": "eu", "client_id": "a", "client_secret": "b", "refresh_token": "c"},
    },
    "close": {"secrets": ["ab" * 32], "api": {"key": "k"}},
}
ANA: Mapping[str, str] = {"hubspot": "901", "salesforce": "0055f000005mc66AAA", "zoho": "77", "close": "user_1"}


def config_of(kind: str) -> Config:
    crm = {"kind": kind, "namespace": "crm", "match": {"calls": {"with": "air", "within": "90s"}}, **SETTINGS[kind]}
    air = {"kind": "aircall", "secrets": ["aircall-token"], "namespace": "air"}
    reps = {"r-1": {"name": "Ana", "aliases": {"crm": [ANA[kind]], "air": ["456123"]}}}
    return make_config(connections={"crm": crm, "air": air}, reps=reps)


def by_dialler(number: str, *, is_internal: bool = False) -> list[Delivery]:
    """Its first event and its last one."""
    at = DIALED // SECOND
    data = {
        "id": 812034551, "direction": "outbound", "raw_digits": number, "user": {"id": 456123}, "started_at": at,
        "participants": [{"type": "user"}, {"type": "user" if is_internal else "external"}],
    }  # fmt: skip
    ended = {**data, "status": "done", "answered_at": at + 20, "ended_at": at + 80}
    events = (("call.created", {**data, "status": "initial"}, at), ("call.ended", ended, at + 110))
    return [
        Delivery("air", NOW, {"content-type": "application/json"}, json.dumps(
            {"resource": "call", "event": name, "timestamp": told_at, "token": "aircall-token", "data": said}
        ).encode())
        for name, said, told_at in events
    ]  # fmt: skip


def _hubspot(number: str, at: str, told: str) -> tuple[str, dict[str, Any]]:
    properties = {
        "hs_timestamp": at, "hs_call_direction": "OUTBOUND", "hubspot_owner_id": ANA["hubspot"],
        "hs_call_to_number": number, "hs_call_from_number": "+4940999", "hs_lastmodifieddate": told,
    }  # fmt: skip
    return "calls", {"id": "801", "properties": properties, "updatedAt": told, "archived": False}


def _salesforce(number: str, at: str, told: str) -> tuple[str, dict[str, Any]]:
    id = "0LQ5g0000000001EAA"
    return "VoiceCall", {
        "id": id, "Id": id, "OwnerId": ANA["salesforce"], "CallType": "Outbound", "ToPhoneNumber": number,
        "FromPhoneNumber": "+4940999", "CallStartDateTime": at, "SystemModstamp": told,
    }  # fmt: skip


def _zoho(number: str, at: str, told: str) -> tuple[str, dict[str, Any]]:
    return "Calls", {
        "id": "4400000000000001", "Owner": {"id": ANA["zoho"]}, "Call_Type": "Outbound", "Call_Start_Time": at,
        "Dialled_Number": number, "Modified_Time": told,
    }  # fmt: skip


def _close(number: str, at: str, told: str) -> tuple[str, dict[str, Any]]:
    return "activity.call", {
        "id": "acti_1", "user_id": ANA["close"], "direction": "outbound", "activity_at": at, "phone": number,
        "date_created": at, "date_updated": told,
    }  # fmt: skip


CRMS: Mapping[str, Callable[[str, str, str], tuple[str, dict[str, Any]]]] = {
    "hubspot": _hubspot, "salesforce": _salesforce, "zoho": _zoho, "close": _close,
}  # fmt: skip


def by_crm(kind: str, number: str, *, after: int = 40 * SECOND, told: int = MINUTE, is_gone: bool = False) -> Delivery:
    """A look-up's answer of the CRM's note of it."""
    at = NOW + told
    object, record = CRMS[kind](number, format_instant(DIALED + after), format_instant(at))
    if is_gone:
        record = {**record, "archived": True, "archivedAt": record["updatedAt"]} if kind == "hubspot" else {
            "id": record["id"], GONE: at
        }  # fmt: skip
    headers = {BROUGHT_BY: LOOKUP, ASKED_AT: str(at + SECOND)}
    return Delivery("crm", at + SECOND, headers, encode_envelope(Envelope(object=object, records=[record])))


def counted(config: Config, deliveries: list[Delivery]) -> set[tuple[int, int]]:
    """Duplicates, and calls that count, in every order of the deliveries; by the recount they are the same."""
    connectors = {name: build_connector(connection) for name, connection in config.connections.items()}
    numbers, found = PhoneNumbers(b"key", compared(config.connections)), set()
    for order in itertools.permutations(deliveries):
        pipeline, log = Pipeline(config), list[RecordChange]()
        for delivery in order:
            parsed = parse_delivery(delivery, connectors)
            assert parsed.problems == []
            changes = numbers.hidden(delivery.connection, parsed.changes)
            pipeline.take(changes)
            log += changes
        assert pipeline.repeated("crm") == len(recount(log, config).repeated)
        made = row_of(log, now=NOW, config=config)["metrics"]["calls_made"]
        assert isinstance(made, int)
        found.add((pipeline.repeated("crm"), made))
    return found


@pytest.mark.parametrize("kind", CRMS)
@pytest.mark.parametrize(
    ("dialled", "noted"),
    [
        ("+49 30 111-2223", "+49 (0)30 111 2223"),
        ("+1 312-555-0134", "(001) 312 555 0134 x7"),
        ("+4930111", "tel:+4930111"),
    ],
    ids=["zero", "extension", "address"],
)
def test_a_call_that_both_tell_of_counts_once_however_its_number_is_written(
    kind: str, dialled: str, noted: str
) -> None:
    assert counted(config_of(kind), [*by_dialler(dialled), by_crm(kind, noted)]) == {(1, 1)}


@pytest.mark.parametrize("kind", CRMS)
def test_one_that_is_noted_too_late_withheld_or_to_somebody_else_is_another(kind: str) -> None:
    config = config_of(kind)

    assert counted(config, [*by_dialler("+4930111"), by_crm(kind, "+4930111", after=91 * SECOND)]) == {(0, 2)}
    assert counted(config, [*by_dialler("anonymous"), by_crm(kind, "anonymous")]) == {(0, 2)}
    assert counted(config, [*by_dialler("+4930111"), by_crm(kind, "030 111")]) == {(0, 2)}


@pytest.mark.parametrize("kind", CRMS)
def test_one_that_is_deleted_or_edited_apart_is_a_duplicate_no_more(kind: str) -> None:
    config, dialled = config_of(kind), by_dialler("+4930111")[1:]
    note = by_crm(kind, "+4930111")

    assert counted(config, [*dialled, note, by_crm(kind, "+4930111", told=2 * MINUTE, is_gone=True)]) == {(0, 1)}
    assert counted(config, [*dialled, note, by_crm(kind, "+4930222", told=2 * MINUTE)]) == {(0, 2)}


@pytest.mark.parametrize("kind", CRMS)
def test_a_call_among_colleagues_is_noted_in_vain(kind: str) -> None:
    """The CRM does not say that it is one: the dialler's note of it takes it out all the same."""
    assert counted(config_of(kind), [*by_dialler("+4930111", is_internal=True), by_crm(kind, "+4930111")]) == {(1, 0)}
