"""What comes by other ways than a webhook: answers of a CRM's API, files, metrics.yaml, and what else lies in Kafka."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from deploy.streaming.events import Received, Schemas, event_deliveries
from processor.core.normalise import parse_delivery
from schemas.alerts import decode_acknowledgement, decode_action, decode_alert, decode_frame, decode_outgoing
from schemas.catalogue.reading import read_metrics, shipped
from schemas.connection_states import decode_state
from schemas.connectors.asking import HISTORY, Envelope, encode_envelope
from schemas.connectors.json_text import NotJsonError, read_json_mended
from schemas.dead_letters import DeadLetter, decode_dead_letter
from schemas.deals import DealCard, decode_deal, encode_deal
from schemas.deliveries import ASKED_AT, BACKFILL, BROUGHT_BY, FILE, Delivery
from schemas.frames import change_frames, decode_changes
from schemas.generations import decode_served
from schemas.late import decode_late
from schemas.leads import LeadClock, decode_clock, encode_clock
from schemas.progress import Progress, decode_progress, encode_progress
from schemas.verifications import decode_verification
from tests.deploy.files.imports import Imports
from tests.deploy.streaming.payloads import CHANNEL, CONNECTOR, won
from tests.fakes.salesforce_events import encoded, schema_of
from tests.fuzz.outside import CONNECTIONS, FIXTURES
from tests.fuzz.target import Target
from tests.strategies import NOW

FILES = FIXTURES / "files"


# --- Answers ----------------------------------------------------------------------------------------------------------


def an_answer_gives_changes_or_dead_letters(data: bytes) -> None:
    """As any connection takes it, asked for or out of a file; each connector reads it without a fault of its own."""
    for source in (BACKFILL, FILE):
        headers = {"content-type": "application/json", BROUGHT_BY: source, ASKED_AT: str(NOW)}
        for name in CONNECTIONS:
            parsed = parse_delivery(Delivery(name, NOW, headers, data), CONNECTIONS)
            assert not any(problem.reason == "unreadable" for problem in parsed.problems), parsed.problems
            assert all("\n" not in problem.detail for problem in parsed.problems)
            read = [one for frame in change_frames(parsed.changes) for one in decode_changes(frame).changes]
            assert read == parsed.changes


def an_answer_of_an_api_can_be_kept(data: bytes) -> None:
    """Whatever it holds, what was read of it can be written."""
    with suppress(NotJsonError):
        encode_envelope(Envelope(object="contacts", records=[{"all": read_json_mended(data)}]))


def _answers() -> list[bytes]:
    """The webhooks' records, as an API answers them."""
    found = []
    for path in sorted((FIXTURES / "crm").rglob("*.json")):
        body = json.loads(path.read_bytes())
        records = [each for each in (body if isinstance(body, list) else [body]) if isinstance(each, dict)]
        found += [
            encode_envelope(Envelope(object=object, records=records, gone=["1"], words={"s": "won"}))
            for object in ("contacts", "deals", "calls", "owners")
        ]
    past = {"value": "new", "timestamp": "2026-03-18T10:00:00Z"}
    record = {
        "id": "1", "createdAt": "2026-03-18T10:00:00Z", "updatedAt": "2026-03-18T10:00:00Z",
        "properties": {"amount": "3", "hs_lead_status": "NEW", "hs_merged_object_ids": "2;3"},
        "propertiesWithHistory": {"hs_lead_status": [past, past], "hubspot_owner_id": [past]},
        "associations": {"contacts": {"results": [{"id": "7", "type": "x"}]}},
    }  # fmt: skip
    found += [encode_envelope(Envelope(object=object, records=[record] * 2)) for object in ("contacts", "deals")]
    changelog = {"time": "2026-03-02T10:00:00Z", "field_key": "stage_id", "old_value": "3", "new_value": "4"}
    entry = {"Modified_Time": "2026-03-18T10:00:00+01:00", "Stage": "Signed", "Moved_To__s": "Lost"}
    others: dict[str, dict[str, Any]] = {
        "deals": {
            "id": 5, "add_time": "2026-03-01T10:00:00Z", "update_time": "2026-03-03T10:00:00Z", "status": "won",
            "stage_id": 4, "value": 10.5, "currency": "EUR", HISTORY: [changelog, {**changelog, "field_key": "status"}],
        },
        "activities": {"id": 6, "add_time": "2026-03-01T10:00:00Z", "update_time": "2026-03-03T10:00:00Z",
                       "type": "call", "done": True, "due_date": "2026-03-02", "due_time": "10:00"},
        "Deals": {"id": "7", "Created_Time": "2026-03-01T10:00:00+01:00", "Modified_Time": "2026-03-18T10:00:00+01:00",
                  "Stage": "Signed", "Amount": 3, "Owner": {"id": "1"}, HISTORY: [entry, entry]},
        "users": {"id": "8", "full_name": "Ana", "status": "active", "email": "a@example.com"},
    }  # fmt: skip
    found += [
        encode_envelope(Envelope(object=object, records=[said, said], restored=["7"], words={"Signed": "won"}))
        for object, said in others.items()
    ]
    event = {"record": "call", "id": "c", "changed_at": "2026-03-18T10:00:00Z", "fields": {"rep": {"served": "r"}}}
    return [*found, json.dumps([event, {**event, "unmapped": {"outcome": "x"}, "deleted": True}]).encode()]


# --- Files ------------------------------------------------------------------------------------------------------------

_CONFIG = {
    "organisation": {"name": "Acme", "timezone": "Europe/Berlin", "currency": "EUR"},
    "connections": {"files": {"kind": "file"}},
}
_COMMANDS = (
    ["files", "x.csv", "--record", "call", "--timezone", "UTC"],
    [
        "files",
        "x.csv",
        "--record",
        "deal",
        "--timezone",
        "Europe/Berlin",
        "--decimal",
        ",",
        "--as-of",
        "2026-03-18T00:00:00Z",
    ],
    ["files", "x.ndjson", "--record", "lead", "--timezone", "UTC", "--rep-by", "name"],
)


def a_file_is_imported_or_its_lines_are_refused(data: bytes) -> None:
    """What is taken is read again from the log without a dead letter (`Imports.changes`)."""
    command = _COMMANDS[len(data) % len(_COMMANDS)]
    with TemporaryDirectory(prefix="floorcast-fuzz-") as name:
        folder = Path(name)
        (folder / command[1]).write_bytes(data)
        imports = Imports(_CONFIG, folder)
        outcome = imports.run(command, folder)
        changes = imports.changes()
        assert outcome is not None or not changes
        assert all("\n" not in line for line in imports.terminal.lines if outcome is None)


def _files() -> list[bytes]:
    found = [path.read_bytes() for path in sorted(FILES.iterdir()) if path.suffix in {".csv", ".ndjson"}]
    return [data for data in found if len(data) < 4_000]


# --- The catalogue ----------------------------------------------------------------------------------------------------

_METRICS = b"""\
cold_sources: [list]
quiet_after: 14d
dimensions:
  product: {of: product, label: Product}
metrics:
  demos_held: {type: simple, label: Demos, of: meeting, agg: count, where: {kind: demo, outcome: held}, at: starts_at}
  big_deals: {type: simple, label: Big, of: deal, agg: sum, value: amount, unit: money, where: {status: won}}
  share: {type: ratio, label: Share, numerator: demos_held, denominator: meetings_held}
  calls_made: false
"""


def a_catalogue_is_read_or_said_wrong(data: bytes) -> None:
    with suppress(UnicodeDecodeError):
        read = read_metrics(data.decode(), "metrics.yaml", shipped())
        assert all(problem.startswith("metrics.yaml") and "\n" not in problem for problem in read.problems)


# --- Change events ----------------------------------------------------------------------------------------------------

_EVENT = won(1)
_SCHEMA = schema_of(_EVENT)
_SCHEMAS = Schemas()
_SCHEMAS.add("s-1", json.dumps(_SCHEMA))


def an_event_is_stored_and_gives_changes_or_a_dead_letter(data: bytes) -> None:
    events = [Received(b"m-1", "s-1", data)]
    (delivery,) = event_deliveries(events, _SCHEMAS, connection="sf", channel=CHANNEL, received_at=NOW)
    parsed = CONNECTOR.parse(delivery)
    assert parsed.changes or parsed.problems or parsed.ignored


# --- Messages ---------------------------------------------------------------------------------------------------------

_READERS: tuple[Callable[[bytes], Any], ...] = (
    decode_acknowledgement, decode_action, decode_alert, decode_clock, decode_dead_letter, decode_deal, decode_frame,
    decode_late, decode_outgoing, decode_progress, decode_served, decode_state, decode_verification,
)  # fmt: skip


def a_message_is_read_or_refused(data: bytes) -> None:
    """Of every topic with a shape of its own, by each of their readers: refused by the exceptions that are expected."""
    for read in _READERS:
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            read(data)


_CLOCK = LeadClock("l1", "r1", "web", "new", NOW, NOW + 1, sla=1)
_CARD = DealCard("d1", "r1", "Deal", None, None, "s1", NOW, "10.5", "EUR", None, NOW, stays=(("s0", 5),))
TARGETS = (
    Target("answers", _answers(), an_answer_gives_changes_or_dead_letters),
    Target("api-json", _answers(), an_answer_of_an_api_can_be_kept),
    Target("files", _files(), a_file_is_imported_or_its_lines_are_refused),
    Target("change-events", [encoded(_EVENT, _SCHEMA)], an_event_is_stored_and_gives_changes_or_a_dead_letter),
    Target("catalogue", [_METRICS], a_catalogue_is_read_or_said_wrong),
    Target(
        "messages",
        [
            encode_clock(_CLOCK),
            encode_deal(_CARD),
            encode_progress(Progress()),
            msgspec.msgpack.encode(DeadLetter("feed", "not_json", "body: is none", 0, 5, None, NOW)),
        ],
        a_message_is_read_or_refused,
    ),
)
