"""A mail to several leads touches each of them: those among its `contacts` that are leads, beside the one it names."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest

from schemas.records import RecordChange, fold_all
from tests.builders import change, instant, make_config
from tests.oracle import differences, recount
from tests.pipeline import Pipeline, served

NOW = instant("2026-03-18T12:00Z")
CONFIG = make_config()


def lead(name: str, /, at: str = "09:00", **fields: Any) -> RecordChange:
    received: dict[str, Any] = {"received_at": f"2026-03-18T{at}Z", "assigned_at": f"2026-03-18T{at}Z"}
    return change("lead", name, f"2026-03-18T{at}Z", rep="ana", **received | fields)


def mail(at: str = "09:30", /, **fields: Any) -> RecordChange:
    sent: dict[str, Any] = {"rep": "ana", "direction": "outbound", "sent_at": "2026-03-18T09:30Z"}
    return change("email", "e", f"2026-03-18T{at}Z", **sent | fields)


def answered(*changes: RecordChange) -> dict[str, str]:
    """Lead -> when it was answered; of all orders the same, and as the recount has it."""
    return _checked(
        changes, permutations(changes) if len(changes) < 4 else [changes, changes[::-1], changes[2:] + changes[:2]]
    )


def _checked(changes: Sequence[RecordChange], orders: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    states = []
    for order in orders:
        pipeline = Pipeline(CONFIG)
        for each in order:
            pipeline.take([each])
        pipeline.take(list(order))
        view = pipeline.view()
        books = recount(changes, CONFIG)
        rows = served(view, now=NOW, window="today")
        assert not list(differences(books.rows(now=NOW, window="today"), rows))
        clocks = {name: clock.answered_at for name, clock in view.clocks.items()}
        found = {name: at for name, at in ((n, _time(at)) for n, at in clocks.items()) if at is not None}
        assert pipeline.restart() == 0
        states.append((clocks, pipeline.rows["ledger"]))
    assert all(state == states[0] for state in states)
    return found


def _time(at: int | None) -> str | None:
    return (
        None
        if at is None
        else f"{(at - instant('2026-03-18T00:00Z')) // 60_000_000 // 60:02}:{at // 60_000_000 % 60:02}"
    )


def test_each_contact_that_is_a_lead_is_answered() -> None:
    assert answered(lead("a"), lead("b"), mail(lead="a", contacts=["a", "b"])) == {"a": "09:30", "b": "09:30"}


def test_a_mail_that_names_no_lead_answers_those_to_whom_it_went() -> None:
    assert answered(lead("a"), lead("b"), mail(contacts=["b"])) == {"b": "09:30"}


def test_a_contact_that_is_no_lead_counts_nowhere() -> None:
    alone, beside = Pipeline(CONFIG), Pipeline(CONFIG)
    alone.take([lead("a"), mail(lead="a")])
    beside.take([lead("a"), mail(lead="a", contacts=["a", "person-7"])])

    one, other = (served(each.view(), now=NOW, window="today") for each in (alone, beside))
    told = {name: value for name, value in one["organisation"]["metrics"].items() if "contact" not in name}
    assert {name: other["organisation"]["metrics"][name] for name in told} == told
    assert alone.view().clocks.keys() == beside.view().clocks.keys()


def test_one_who_is_taken_off_the_mail_waits_again() -> None:
    both = mail("09:30", lead="a", contacts=["a", "b"])
    assert answered(lead("a"), lead("b"), both, mail("09:40", contacts=["a"])) == {"a": "09:30"}


def test_who_is_no_more_the_lead_of_a_mail_and_still_got_it_stays_answered() -> None:
    first = mail("09:30", lead="a", contacts=["a"])
    assert answered(lead("a"), lead("b"), first, mail("09:40", lead="b", contacts=["a", "b"])) == {
        "a": "09:30", "b": "09:30",
    }  # fmt: skip


def test_a_deleted_mail_answers_nobody() -> None:
    deleted = change("email", "e", "2026-03-18T09:40Z", deleted=True)
    assert answered(lead("a"), lead("b"), mail(lead="a", contacts=["a", "b"]), deleted) == {}


@pytest.mark.parametrize("into", ["a", "c"])
def test_what_a_merged_contact_got_answers_the_lead_that_stays_once(into: str) -> None:
    merged = change("lead", "b", "2026-03-18T09:50Z", merged_into=into)
    changes = [lead("a"), lead("b"), lead("c"), mail(lead="a", contacts=["a", "b"]), merged]

    assert answered(*changes) == {"a": "09:30"} | ({"c": "09:30"} if into == "c" else {})


def test_a_mail_counts_beside_its_own_lead_alone() -> None:
    """Metrics of mails by their lead would count it twice."""
    pipeline = Pipeline(CONFIG)
    pipeline.take([lead("a", source="web"), lead("b", source="event"), mail(lead="a", contacts=["a", "b"])])

    row = served(pipeline.view(), now=NOW, window="today")["organisation"]["metrics"]
    assert row["emails_sent"] == 1


def test_the_row_of_a_mail_is_the_same_whatever_comes_first() -> None:
    many = [
        mail("09:30", contacts=[f"c{n}" for n in range(120)]),
        mail("09:31", contacts=["x", "c5"]),
        mail("09:32", contacts=None),
        mail("09:29", contacts=["old", "c5"]),
    ]
    rows = {fold_all("email", order).encode() for order in permutations(many)}

    assert len(rows) == 1


def test_a_mail_that_a_merged_lead_once_had_is_still_the_own_one_of_the_lead_that_stays() -> None:
    """Though that lead is deleted, and the mail also went to it as a contact."""
    changes = [
        lead("b", merged_into="a"),
        mail("09:30", lead="a", contacts=["a"]),
        mail("09:35", lead="b"),
        change("lead", "a", "2026-03-18T09:45Z", deleted=True),
        mail("09:40", lead="a"),
    ]
    rows = recount(changes, CONFIG).rows(now=NOW, window="today")
    for order in permutations(changes):
        pipeline = Pipeline(CONFIG)
        for each in order:
            pipeline.take([each])
        assert not list(differences(rows, served(pipeline.view(), now=NOW, window="today")))
