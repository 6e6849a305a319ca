"""A dialler's call and the CRM's note of it: what makes the note a duplicate, what it still is, and what undoes it."""

from dataclasses import replace
from typing import Any

import pytest

from processor.core.definitions import definitions_of
from processor.core.matches import Repeats
from schemas.config import Config
from schemas.instants import MINUTE, SECOND
from schemas.numbers import hash_of, hide
from schemas.records import Record, RecordChange
from tests.builders import change, make_config
from tests.oracle import recount
from tests.pipeline import Pipeline, served
from tests.segments import segments as recounted_segments
from tests.strategies import NOW
from tests.test_hard_metrics import segments
from tests.test_match_laws import KEY, defined

CONFIG = make_config(
    connections={
        "crm": {
            "kind": "generic",
            "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
            "match": {"calls": {"with": "air", "within": "90s"}},
        },
        "air": {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx"], "namespace": "air"},
    },
    reps={"r1": {"aliases": {"air": ["7"]}}},
)
AT = NOW - 20 * MINUTE


def call(teller: str, at: int = AT, version: int = 0, number: str = "4930111", **fields: Any) -> RecordChange:
    said: dict[str, Any] = {"rep": "r1", "direction": "outbound", "dialed_at": at, "outcome": "connected"} | fields
    kept = hide(number, teller, KEY) if number else None
    return change("call", f"{teller}1", NOW - MINUTE + version, number=kept, **said)


def piped(*said: RecordChange, config: Config = CONFIG) -> Pipeline:
    pipeline = Pipeline(config)
    for each in said:
        pipeline.take([each])
    return pipeline


def made(*said: RecordChange) -> int:
    """Calls made, which the recount must have as well."""
    row: Any = served(piped(*said).view(), now=NOW, window="today")["organisation"]["metrics"]
    books: Any = recount(said, CONFIG).rows(now=NOW, window="today")["organisation"]["metrics"]
    assert row["calls_made"] == books["calls_made"]
    return int(row["calls_made"])


@pytest.mark.parametrize(
    ("other", "counted"),
    [
        (call("air"), 1),
        (call("air", rep="air:7"), 1),
        (call("air", AT + 90 * SECOND), 1),
        (call("air", AT - 90 * SECOND), 1),
        (call("air", AT + 90 * SECOND + 1), 2),
        (call("air", AT - 90 * SECOND - 1), 2),
        (call("air", number="4930222"), 2),
        (call("air", number=""), 2),
        (call("air", rep="r2"), 2),
        (call("air", rep=None), 2),
        (call("air", direction="inbound"), 1),  # an inbound call is none that was made
        (call("air", dialed_at=None), 1),
        (call("air", outcome="no_answer"), 1),
    ],
)
def test_who_when_and_which_number_must_be_the_same(other: RecordChange, counted: int) -> None:
    assert made(call("crm"), other) == counted
    assert made(other, call("crm")) == counted


def test_without_a_person_on_either_side_nothing_matches() -> None:
    assert made(call("crm", rep=None), call("air", rep=None)) == 2


def test_calls_of_one_connection_are_never_duplicates_of_each_other() -> None:
    again = change(
        "call", "crm2", NOW, number=hide("4930111", "crm", KEY), rep="r1", direction="outbound", dialed_at=AT
    )

    assert made(call("crm"), again) == 2


@pytest.mark.parametrize(
    "undone",
    [
        change("call", "air1", NOW, deleted=True),
        change("call", "air1", NOW, dialed_at=AT - MINUTE * 9),
        change("call", "air1", NOW, number=hide("4930222", "air", KEY)),
        change("call", "air1", NOW, rep="r2"),
        change("call", "crm1", NOW, number=None),
        change("call", "crm1", NOW, dialed_at=AT + 9 * MINUTE),
        change("call", "crm1", NOW, rep="r2"),
    ],
)
def test_taking_either_back_or_editing_it_apart_undoes_it(undone: RecordChange) -> None:
    is_deleted = undone.fields.get("deleted") is True

    assert made(call("crm"), call("air"), undone) == (1 if is_deleted else 2)
    assert piped(call("crm"), call("air"), undone).repeated("crm") == 0


def test_a_note_stays_a_touch_of_its_lead_unless_the_diallers_call_is_one() -> None:
    lead = change("lead", "l1", NOW - MINUTE, rep="r1", received_at=NOW - 30 * MINUTE)

    def touches(*said: RecordChange) -> int:
        return piped(lead, *said).view().clocks["l1"].touches

    assert piped(lead, call("crm", lead="l1"), call("air")).repeated("crm") == 1
    assert touches(call("crm", lead="l1"), call("air")) == 1
    assert touches(call("crm", lead="l1"), call("air", lead="l1")) == 1
    assert touches(call("crm", lead="l1"), call("air", lead="l2")) == 1
    assert touches(call("crm", lead="l1"), call("air", AT + 9 * MINUTE, lead="l1")) == 2
    assert touches(call("crm", lead="l1"), call("air", lead="l2"), change("lead", "l2", NOW, merged_into="l1")) == 1


def by_source(*said: RecordChange) -> dict[str | None, object]:
    config, definitions = defined()
    found = segments(piped(*said, config=config).view(), "dialled", "source", "7d")
    expected = recounted_segments(recount(said, config, definitions), "dialled", "source", now=NOW, window="7d")
    assert found == expected
    return found


def test_the_lead_is_told_of_a_call_that_is_not_its_own_and_of_what_becomes_of_it() -> None:
    lead = change("lead", "l1", NOW - MINUTE, rep="r1", source="web", received_at=NOW - 30 * MINUTE)
    note, dialled = call("crm", lead="l1"), call("air")
    apart = change("call", "air1", NOW, dialed_at=AT - 9 * MINUTE)

    assert by_source(lead, note) == {"Web": 1, "Other": 0}
    assert by_source(lead, note, dialled) == {"Web": 0, "Other": 1}
    assert by_source(lead, note, dialled, apart) == {"Web": 1, "Other": 1}
    elsewhere = (change("call", "crm1", NOW, lead="l2"), apart, change("call", "crm1", NOW + 1, lead="l1"))
    assert by_source(lead, note, dialled, *elsewhere) == {"Web": 1, "Other": 1}
    merged = change("lead", "l1", NOW, merged_into="l9")
    root = change("lead", "l9", NOW, source="web", received_at=NOW - 30 * MINUTE)
    assert by_source(lead, note, dialled, merged, root) == {"Web": 0, "Other": 1}
    assert by_source(lead, note, dialled, merged, root, apart) == {"Web": 1, "Other": 1}


def test_another_within_holds_for_what_is_known_already() -> None:
    pipeline = piped(call("crm"), call("air", AT + 3 * MINUTE))
    pipeline._definitions = replace(pipeline._definitions, matches={"crm": ("air", 5 * MINUTE)})

    pipeline.restart()

    row: Any = served(pipeline.view(), now=NOW, window="today")["organisation"]["metrics"]
    assert row["calls_made"] == 1


def test_a_duplicate_that_many_calls_make_one_costs_as_much_as_any() -> None:
    def told(teller: str, number: int, **fields: Any) -> RecordChange:
        said: dict[str, Any] = {"rep": "r1", "direction": "outbound", "dialed_at": AT + number} | fields
        return change("call", f"{teller}{number}", NOW - MINUTE, number=hide("4930111", teller, KEY), **said)

    notes = [told("crm", number, lead=f"l{number}") for number in range(300)]
    many = [*notes, *(told("air", number) for number in range(300))]
    repeats = Repeats(definitions_of(CONFIG))
    known: dict[str, Any] = {f"call|{each.id}": Record("call") for each in many}
    for each in many:
        known[f"call|{each.id}"].fold(each)
    group = f"number:{hash_of(str(many[0].fields['number']))}"
    taken, shown = repeats.derive(group, {key: record.encode() for key, record in known.items()}, known)

    assert repeats.total == {"crm": 300}
    assert taken
    assert len(shown) <= 300
