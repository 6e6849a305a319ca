"""Goals, open deals and open leads as `verify` fetches and compares them: right ones are right, and wrong ones told."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.verification import pieces, verify
from deploy.verification.definitions import with_own
from deploy.verification.differences import What
from deploy.verification.kept import KeptChanges
from deploy.verification.lists import OPEN_LEADS, Lists, ServedLists, list_differences, served_values
from deploy.verification.looks import StandingLook
from deploy.verification.pieces import recount_in_pieces
from deploy.verification.recount import recount
from deploy.verification.rounds import LEVELS, Judged
from deploy.verification.verify import ServedRows, fetch_lists
from schemas.config import Config
from schemas.documents.text import read_document
from schemas.instants import DAY, HOUR, MINUTE
from schemas.records import RecordChange
from tests.api.reading import Floor, floor_config
from tests.builders import change, instant

NOW = instant("2026-03-18T12:34:56.789012Z")
OWN = "metrics:\n  rep_days: {unit: count, type: simple, from: rep.days, at: day, credit: rep, agg: count}\n"
DEFINITIONS = with_own(read_document(OWN, "metrics.yaml").value)


def config() -> Config:
    return floor_config(
        calendar="office",
        calendars={"office": {"timezone": "Europe/Berlin", "hours": {"mon-fri": ["09:00-18:00"]}}},
        goals={
            "quota": {"metric": "revenue_won", "period": "month", "amounts": [{"each": "900.10"}]},
            "calls": {"metric": "calls_made", "period": "week", "amounts": [{"each": 7}]},
            "rate": {"metric": "win_rate", "period": "month", "amounts": [{"rep": "r1", "amount": "0.5"}]},
            "here": {"metric": "rep_days", "period": "month", "amounts": [{"each": 20}]},
        },
        defines=OWN,
    )


def log() -> list[RecordChange]:
    return [
        change("goal", "g1", goal="quota", rep="r2", amount="1200"),
        change("absence", "a1", rep="r1", from_="2026-03-12", to="2026-03-20", share="0.5"),
        *(
            change("deal", f"w{number}", NOW - number * DAY, rep="r1", status="won", amount="90", stage="offer",
                   lead="l1", closed_at=NOW - number * DAY, created_at=NOW - 30 * DAY)
            for number in range(1, 7)
        ),
        change("deal", "d1", NOW - DAY, rep="r1", stage="offer", amount="800", name="Acme"),
        change("deal", "d2", NOW - DAY, rep="r3", stage="talk", amount="30", next_step_at=NOW + DAY),
        change("deal", "gone", NOW - DAY, rep="r3", status="lost"),
        change("lead", "l1", NOW - 30 * DAY, rep="r1", received_at=NOW - 30 * DAY, status="new", value="7.255"),
        change("lead", "l2", NOW - HOUR, rep="r3", received_at=NOW - HOUR, company="Acme", next_step_at=NOW + DAY),
        change("call", "c1", NOW - 20 * DAY, rep="r1", lead="l1", direction="outbound", dialed_at=NOW - 20 * DAY),
        change("call", "c2", NOW - MINUTE, rep="r1", lead="l2", direction="outbound", dialed_at=NOW + HOUR),
    ]  # fmt: skip


@pytest.fixture(autouse=True)
def _small_pieces_and_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "AT_ONCE", 3)
    monkeypatch.setattr(verify, "PAGE", 2)


async def looked_at(path: Path) -> tuple[Lists, ServedLists]:
    floor, kept = Floor(path, config(), NOW), KeptChanges(sys.maxsize)
    floor.take(*log())
    kept.add(log())
    transport = httpx.ASGITransport(floor.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        served = await fetch_lists(client)
    *_, lists = recount_in_pieces(kept, floor.config, [], NOW, DEFINITIONS, lists_at=served.goals_at)
    assert lists is not None
    return lists, served


def told(lists: Lists, served: ServedLists) -> list[str]:
    expected = lists.values(served)
    return [
        f"{name}: {difference.what}"
        for name, values in served_values(served).items()
        for difference in list_differences(expected[name], values)
    ]


async def test_all_that_is_served_is_what_is_recounted(tmp_path: Path) -> None:
    lists, served = await looked_at(tmp_path)

    assert told(lists, served) == []
    assert {row["goal"] for row in served.goals} == {"quota", "calls", "rate", "here"}
    assert [len(served.deals), len(served.leads)] == [2, 2]


def changed(rows: Any, place: int, **fields: Any) -> Any:
    return [{**row, **fields} if number == place else row for number, row in enumerate(rows)]


WRONG: list[tuple[Callable[[ServedLists], ServedLists], str]] = [
    (lambda one: replace(one, goals=changed(one.goals, 0, target="1.00")),
     "goals: organisation: target of goal quota"),
    (lambda one: replace(one, goals=changed(one.goals, 1, expected="0.00")),
     "goals: organisation: expected of goal quota"),
    (lambda one: replace(one, goals=changed(one.goals, 1, state="reached")),
     "goals: organisation: state of goal quota"),
    (lambda one: replace(one, deals=changed(one.deals, 0, flags=[])), "open_deals: deal d1: flags"),
    (lambda one: replace(one, deals=[*one.deals][::-1]), "open_deals: organisation: order of open deals"),
    (lambda one: replace(one, leads=changed(one.leads, 0, touches=9)), "open_leads: lead l1: touches"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "name"), WRONG, ids=[name for _, name in WRONG])
async def test_what_is_served_wrongly_is_told(
    tmp_path: Path, wrong: Callable[[ServedLists], ServedLists], name: str
) -> None:
    lists, served = await looked_at(tmp_path)

    assert [what.partition(" from ")[0] for what in told(lists, wrong(served))] == [name]


async def test_what_is_missing_or_too_much_is_told(tmp_path: Path) -> None:
    lists, served = await looked_at(tmp_path)

    assert "open_leads: lead l2: rep" in told(lists, replace(served, leads=served.leads[:1]))
    more = [*served.deals, {**served.deals[0], "deal": "d9"}]
    assert "open_deals: deal d9: rep" in told(lists, replace(served, deals=more))


async def test_a_round_of_the_continuous_recount_looks_at_what_stands(tmp_path: Path) -> None:
    floor, kept = Floor(tmp_path, config(), NOW), KeptChanges(sys.maxsize)
    floor.take(*log())
    kept.add(log())
    standing = StandingLook(kept, floor.config, DEFINITIONS)
    transport = httpx.ASGITransport(floor.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        answers = {name: (await standing.ask(client, name))[0] for name in standing.names}
    books = standing.recounted()

    assert standing.judged(books, books, answers) == Judged()
    levels = answers[LEVELS]
    assert isinstance(levels, ServedRows)
    assert levels.rows["organisation"]["metrics"]["leads_open"] == 2
    levels.rows["organisation"]["metrics"]["leads_open"] = 3
    lists = answers[OPEN_LEADS]
    assert isinstance(lists, ServedLists)
    answers[OPEN_LEADS] = replace(lists, leads=changed(lists.leads, 0, touches=9))
    assert standing.judged(books, books, answers).wrong == {
        (LEVELS, What("organisation", "", "leads_open")), (OPEN_LEADS, What("lead", "l1", "touches"))
    }  # fmt: skip
    before = recount([one for one in log() if one.id != "c1"], floor.config, DEFINITIONS)
    assert standing.judged(before, books, answers).moving == {(OPEN_LEADS, What("lead", "l1", "touches"))}
