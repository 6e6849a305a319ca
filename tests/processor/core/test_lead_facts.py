"""The rows that a lead's group makes: lead, touches, deals."""

from dataclasses import replace
from typing import Any

from processor.core.definitions import definitions_of
from processor.core.facts import GroupFacts
from processor.core.lead_facts import LeadFacts
from processor.core.merged_leads import whole_of
from processor.core.responses import lead_result
from schemas.instants import DAY, HOUR, MINUTE
from schemas.records import RecordChange, fold_all
from tests.builders import change, make_config
from tests.strategies import NOW

DEFINITIONS = definitions_of(
    make_config(
        reps={"r2": {"aliases": {"feed": ["old-2"]}}},
        connections={"feed": {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}},
        lead_response={"stop": "contact", "automated": "include", "before_start": "exclude", "responder": "owner"},
    )
)
COLD = replace(DEFINITIONS, cold_sources=frozenset({"list"}))


def facts(*changes: RecordChange, merged: dict[str, str] | None = None, lead: str = "l1") -> LeadFacts:
    """What the group of a root holds of these changes."""
    rows: dict[str, bytes] = {}
    for kind, id in {(said.kind, said.id) for said in changes}:
        record = fold_all(kind, [said for said in changes if (said.kind, said.id) == (kind, id)])
        named = record.get("lead") if kind != "lead" else id
        via = f"{named}\0" if merged and named in merged else ""
        rows[f"{via}{kind}|{id}"] = record.encode()
    roots = merged or {}
    held = GroupFacts(rows, lead=lead, root_of=lambda name: roots.get(name, name))
    clock = lead_result(lead, held, COLD, lambda _rep, _day: None).clock
    known = bool(held.leads) and not (lead in held.leads and held.leads[lead].is_deleted)
    return LeadFacts(lead, whole_of(lead, held.leads) if known else None, clock, held.others, COLD, 2**62)


def a_lead(at: int = NOW, **more: Any) -> RecordChange:
    said: dict[str, Any] = {"rep": "r1", "received_at": NOW, "status": "new", "source": "list"}
    return change("lead", "l1", at, **said | more)


def call(id: str, at: int, **more: Any) -> RecordChange:
    said: dict[str, Any] = {
        "rep": "old-2",
        "lead": "l1",
        "direction": "outbound",
        "dialed_at": at,
        "outcome": "no_answer",
    }
    return change("call", id, NOW, **said | more)


def mail(id: str, at: int, **more: Any) -> RecordChange:
    said: dict[str, Any] = {"rep": "r1", "lead": "l1", "direction": "outbound", "sent_at": at}
    return change("email", id, NOW, **said | more)


def deal(id: str = "d1", **more: Any) -> RecordChange:
    said: dict[str, Any] = {"rep": "r1", "lead": "l1", "created_at": NOW, "amount": 100}
    return change("deal", id, NOW, **said | more)


def touches(made: LeadFacts) -> list[tuple[str | None, int, str, int]]:
    return [(row["rep"], row["at"], row["kind"], row["number"]) for row in made.touch_rows]


# --- touches ----------------------------------------------------------------------------------------------------------


def test_a_touch_is_an_attempt_by_a_human_whatever_the_configuration_says() -> None:
    made = facts(
        a_lead(),
        call("c1", NOW - HOUR),
        call("c2", NOW, automated=True),
        call("c3", NOW, outcome="failed"),
        call("c4", NOW, internal=True),
        call("c5", NOW, direction="inbound", outcome="connected", talk_seconds=60),
        call("c6", NOW, direction="inbound", outcome="connected", talk_seconds=59),
        mail("e1", NOW + MINUTE),
        mail("e2", NOW, automated=True),
        mail("e3", NOW, direction="inbound"),
        mail("e4", NOW, deleted=True),
        change("meeting", "m1", NOW, rep="r1", lead="l1", outcome="held", starts_at=NOW + HOUR),
        change("meeting", "m2", NOW, rep="r1", lead="l1", outcome="held", starts_at=NOW + HOUR, internal=True),
        change("meeting", "m3", NOW, rep="r1", lead="l1", outcome="scheduled", starts_at=NOW + HOUR),
    )

    assert touches(made) == [
        ("r2", NOW - HOUR, "call", 1), ("r2", NOW, "call", 2), ("r1", NOW + MINUTE, "email", 3),
        ("r1", NOW + HOUR, "meeting", 4),
    ]  # fmt: skip


def test_at_one_instant_the_smaller_key_is_the_earlier_touch() -> None:
    made = facts(a_lead(), mail("e1", NOW), call("c9", NOW), call("c10", NOW))

    assert [(row["kind"], row["number"]) for row in made.touch_rows] == [("call", 1), ("call", 2), ("email", 3)]


def test_touches_of_a_merged_lead_are_those_of_its_root() -> None:
    made = facts(
        a_lead(), change("lead", "l2", NOW, merged_into="l1", received_at=NOW - DAY, value=50),
        call("c1", NOW, lead="l2"), merged={"l2": "l1"},
    )  # fmt: skip

    assert [(row["lead"], row["at"]) for row in made.touch_rows] == [("l1", NOW)]
    assert (made.lead_row["value"], made.lead_row["started_at"]) == ("50", NOW - DAY)


def test_a_call_is_cold_until_anybody_has_reached_them_or_heard_from_them() -> None:
    said = [a_lead(), call("c1", NOW), call("c2", NOW + HOUR, outcome="connected"), call("c3", NOW + 2 * HOUR)]

    made = facts(*said)

    assert [row["cold"] for row in made.touch_rows] == [True, True, False]
    assert made.lead_row["first_cold_at"] == NOW
    heard = facts(*said, mail("e1", NOW - MINUTE, direction="inbound"))
    assert [row["cold"] for row in heard.touch_rows] == [False, False, False]
    assert heard.lead_row["first_cold_at"] is None
    machine = facts(*said, mail("e1", NOW - MINUTE, direction="inbound", automated=True))
    assert [row["cold"] for row in machine.touch_rows] == [True, True, False]
    assert not any(row["cold"] for row in facts(*said, a_lead(NOW + 1, source="web")).touch_rows)
    assert [row["cold"] for row in facts(a_lead(), mail("e1", NOW)).touch_rows] == [False]


def test_touches_and_deals_of_an_unknown_or_deleted_lead_are_rows_all_the_same() -> None:
    unknown = facts(call("c1", NOW), deal())
    deleted = facts(call("c1", NOW), deal(), a_lead(deleted=True))

    for made in (unknown, deleted):
        assert touches(made) == [("r2", NOW, "call", 1)]
        assert [row.get("lead.source") for row in made.deal_rows()] == [None]
        assert made.touch_rows[0]["cold"] is False


# --- the lead ---------------------------------------------------------------------------------------------------------


def test_a_lead_has_the_instants_at_which_it_got_on() -> None:
    made = facts(
        a_lead(NOW),
        a_lead(NOW + 1, status="qualified"),
        a_lead(NOW + 2, status="converted"),
        a_lead(NOW + 3, status="customer", company="Acme", value=10, next_step_at=NOW + DAY),
        change("meeting", "m1", NOW, lead="l1", booked_at=NOW + 9, outcome="cancelled"),
        change("meeting", "m2", NOW, lead="l1", booked_at=NOW + 8, internal=True),
        deal("d1", status="won", closed_at=NOW + 20, created_at=NOW + 12),
        deal("d2", status="won", closed_at=NOW + 15, created_at=NOW + 14),
        deal("d3", status="lost", closed_at=NOW + 10, created_at=NOW + 11),
        deal("d4", status="won", closed_at=NOW + 1, created_at=NOW + 1, merged_into="d1"),
    )

    row = made.lead_row

    assert {name: row[name] for name in ("qualified_at", "ended_at", "customer_at", "won_at")} == {
        "qualified_at": NOW + 1, "ended_at": NOW + 2, "customer_at": NOW + 3, "won_at": NOW + 15,
    }  # fmt: skip
    assert (row["meeting_booked_at"], row["deal_at"]) == (NOW + 9, NOW + 11)
    assert (row["company"], row["value"], row["next_step_at"]) == ("Acme", "10", NOW + DAY)


def test_a_lead_that_goes_on_has_not_ended() -> None:
    made = facts(a_lead(NOW, status="disqualified"), a_lead(NOW + 1, status="new"))
    again = facts(a_lead(NOW, status="customer"), a_lead(NOW + 1, status="new"), a_lead(NOW + 2, status="disqualified"))

    assert made.lead_row["ended_at"] is None
    assert (again.lead_row["ended_at"], again.lead_row["customer_at"]) == (NOW + 2, None)
    assert again.lead_row["qualified_at"] == NOW


def test_a_lead_is_a_customer_from_the_first_deal_won_or_word_of_it() -> None:
    won = deal(status="won", closed_at=NOW - DAY)

    assert facts(a_lead(NOW, status="customer"), won).lead_row["customer_at"] == NOW - DAY
    assert facts(a_lead(NOW, status="new"), won).lead_row["customer_at"] == NOW - DAY
    assert facts(a_lead(NOW, status="customer")).lead_row["customer_at"] == NOW


# --- deals ------------------------------------------------------------------------------------------------------------


def test_a_deal_is_followed_by_a_human_touch_in_the_time_before_its_close() -> None:
    quiet = 14 * DAY

    def is_followed(*said: RecordChange, **more: Any) -> bool:
        closing: dict[str, Any] = {"status": "lost", "closed_at": NOW}
        made = facts(a_lead(), *said, deal(**closing | more))
        return next(bool(row["followed"]) for row in made.deal_rows())

    assert is_followed(call("c1", NOW - quiet))
    assert is_followed(call("c1", NOW))
    assert not is_followed(call("c1", NOW - quiet - 1))
    assert not is_followed(call("c1", NOW + 1))
    assert not is_followed()
    assert not is_followed(mail("e1", NOW, automated=True))
    assert not is_followed(call("c1", NOW), status="open")


def test_a_deal_has_its_own_fields_and_those_of_its_lead() -> None:
    made = facts(
        a_lead(), a_lead(NOW + 1, status="qualified"), deal(status="won", rep="old-2", currency="EUR"),
        deal("d2", deleted=True), deal("d3", merged_into="d1"),
    )  # fmt: skip

    (row,) = made.deal_rows()

    assert (row["rep"], row["amount"], row["currency"], row["closed_at"]) == ("r2", "100", "EUR", NOW)
    assert (row["lead.source"], row["lead.qualified_at"], row["lead.rep"]) == ("list", NOW + 1, "r1")


def test_every_record_that_names_the_lead_is_a_row_with_its_fields() -> None:
    said: dict[str, Any] = {"lead": "l1", "rep": "old-2", "attendees": ["r2", "old-2", "r3"]}
    made = facts(
        a_lead(), call("c1", NOW), call("c2", NOW, deleted=True), deal(), deal("d2", merged_into="d1"),
        change("meeting", "m1", NOW, **said), change("activity", "a1", NOW, lead="l1", kind="cost"),
    )  # fmt: skip

    rows = list(made.joined_rows())

    assert [kind for kind, _ in rows] == ["activity", "call", "deal", "meeting"]
    assert {row["lead.source"] for _, row in rows} == {"list"}
    assert rows[3][1]["attendees"] == ["r2", "r3"]
