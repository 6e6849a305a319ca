"""Who wrote in a thread, and whether a human answered."""

from typing import Any

from processor.core.definitions import definitions_of
from processor.core.facts import CurrentValues
from processor.core.threads import answers, sent_in, writers
from schemas.instants import DAY, MINUTE
from schemas.records import fold_all
from tests.builders import change, make_config
from tests.strategies import NOW

DEFINITIONS = definitions_of(
    make_config(
        reps={"r2": {"aliases": {"feed": ["old-2"]}}},
        connections={"feed": {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}},
    )
)


def mails(*said: dict[str, Any]) -> dict[str, CurrentValues]:
    return {
        f"email|e{number}": CurrentValues(
            fold_all("email", [change("email", f"e{number}", NOW, thread="t", **each)]).encode()
        )
        for number, each in enumerate(said)
    }


def out(rep: str | None, at: int, **more: Any) -> dict[str, Any]:
    return {"rep": rep, "direction": "outbound", "sent_at": at, **more}


def written(*said: dict[str, Any]) -> list[tuple[str | None, int, bool]]:
    rows = writers("t", sent_in("t", mails(*said), DEFINITIONS))
    return [(row["rep"], row["at"], row["replied"]) for row in rows]


def test_everybody_who_wrote_is_a_row_at_their_first_mail() -> None:
    reply = {"direction": "inbound", "sent_at": NOW + 2 * MINUTE}

    assert written(out("r1", NOW), out("r1", NOW + 3 * MINUTE), reply, out("old-2", NOW + 4 * MINUTE)) == [
        ("r1", NOW, True), ("r2", NOW + 4 * MINUTE, False),
    ]  # fmt: skip


def test_only_a_human_answer_after_it_is_a_reply() -> None:
    assert written(out("r1", NOW), {"direction": "inbound", "sent_at": NOW}) == [("r1", NOW, False)]
    assert written(out("r1", NOW), {"direction": "inbound", "sent_at": NOW + 1, "automated": True}) == [
        ("r1", NOW, False)
    ]
    assert written(out("r1", NOW, automated=True), {"direction": "inbound", "sent_at": NOW + 1}) == []
    assert written(out("r1", NOW), {"direction": "inbound", "sent_at": NOW + 1, "deleted": True}) == [
        ("r1", NOW, False)
    ]


def test_mails_without_a_rep_are_of_one_writer() -> None:
    assert written(out(None, NOW), out(None, NOW + 1), {"direction": "inbound", "sent_at": NOW + 1}) == [
        (None, NOW, True)
    ]


def test_the_first_answer_of_a_day_is_a_row() -> None:
    held = mails(
        out("r1", NOW - DAY), *({"direction": "inbound", "sent_at": NOW - DAY + at} for at in (2, 1)),
        {"direction": "inbound", "sent_at": NOW},
    )  # fmt: skip

    assert [(row["rep"], row["at"]) for row in answers("t", sent_in("t", held, DEFINITIONS), DEFINITIONS)] == [
        ("r1", NOW - DAY + 1), ("r1", NOW),
    ]  # fmt: skip
