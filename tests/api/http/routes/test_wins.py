"""What was won: `/v1/wins`, and what the stream tells of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from api.read.subscriptions import Filter, Subscription
from processor.core.milestones import MilestoneBook
from schemas.alerts import SILENT, encode_alert
from schemas.deals import DealCard, encode_deal
from schemas.instants import DAY, HOUR, MINUTE, SECOND
from schemas.naming import id_told
from schemas.topics import DEALS, THRESHOLD_ALERTS
from tests.api.reading import Floor, floor_config, subscribe
from tests.builders import change, instant

NOW = instant("2026-03-18T12:00Z")
TODAY = instant("2026-03-17T16:00Z")
"""Midnight in Kuala Lumpur."""
GOALS = {"calls": {"metric": "calls_made", "period": "month", "milestones": [0.5, 1], "amounts": [{"each": 2}]}}
ANA = {
    "win": "deal_won:d1:2026-03-18T11:00:00.000Z", "cause": "deal_won", "rep": "r1", "name": "Ana", "team": "north",
    "photo": None, "deal": "d1", "deal_name": "Acme", "amount": "24.00", "currency": "USD", "goal": None,
    "metric": None, "milestone": None, "at": "2026-03-18T11:00:00.000Z", "withdrawn": False,
}  # fmt: skip


def won(id: str = "d1", at: int = NOW - HOUR, /, **fields: Any) -> Any:
    return change("deal", id, at, **{"rep": "r1", "status": "won", "amount": 12, "currency": "EUR", **fields})


def call(id: str, rep: str = "r1") -> Any:
    return change("call", id, NOW, rep=rep, direction="outbound", dialed_at=NOW - HOUR)


class Wall(Floor):
    """A floor with one client of the stream."""

    subscription: Subscription

    def __init__(self, path: Path, *changes: Any, **more: Any) -> None:
        super().__init__(path, floor_config(currency_rates={"EUR": "2"}, **more), NOW)
        self.book = MilestoneBook(self.view)
        self.take(*changes)

    def reach(self, quiet: str = "") -> None:
        """Let the worker look at goals."""
        self.book.rebase(self.view)
        for alert in self.book.look(self.now, self.now):
            row = encode_alert(replace(alert, quiet=quiet))
            self.view.apply(THRESHOLD_ALERTS.name, alert.id.encode(), row)

    def watch(self, wanted: Filter | None = None) -> Any:
        """Look at the stream; the snapshot."""
        self.subscription, first = subscribe(self.read_side.broadcaster, wanted or Filter(), self.now)
        return json.loads(first.split(b"data: ")[1])

    def told(self) -> list[Any]:
        """The wins that the stream has told since."""
        self.read_side.broadcaster.flush(self.now)
        events = [block.split("\n") for block in self.subscription.drain().decode().split("\n\n")]
        return [json.loads(lines[2].removeprefix("data: ")) for lines in events if "event: win" in lines]

    def told_names(self) -> list[tuple[str, bool]]:
        return [(win["win"], win["withdrawn"]) for win in self.told()]

    async def listed(self, **asked: Any) -> list[str]:
        return [row["win"] for row in (await self.read("/v1/wins", **asked))["rows"]]


def name(deal: str, at: str) -> str:
    return f"deal_won:{deal}:2026-03-{at}:00.000Z"


async def test_a_row_has_the_contract_shape(tmp_path: Path) -> None:
    wall = Wall(tmp_path, won(name="Acme"))

    assert await wall.read("/v1/wins") == {"rows": [ANA], "as_of": "2026-03-18T12:00:00.000Z", "next": None}
    assert wall.watch()["wins"] == [ANA]


async def test_the_newest_is_first_of_the_window_that_is_asked_for(tmp_path: Path) -> None:
    wall = Wall(
        tmp_path, won("b"), won("a"), won("new", NOW), won("old", TODAY - 1), won("first", TODAY),
        won("other", rep="r3"), won("nobody", rep=None), won("yen", amount=5, currency="JPY"),
        change("deal", "open", NOW, rep="r1"), won("lost", status="lost"), won("soon", NOW, closed_at=NOW + 1),
    )  # fmt: skip

    hour, first = "18T11:00", name("first", "17T16:00")
    names = [name("new", "18T12:00"), *(name(deal, hour) for deal in ("a", "b", "nobody", "other", "yen")), first]
    assert await wall.listed() == names
    assert await wall.listed(limit=2) == names[:2]
    assert await wall.listed(window="month") == [*names, "deal_won:old:2026-03-17T15:59:59.999Z"]
    assert await wall.listed(from_="2026-03-17", to="2026-03-17") == ["deal_won:old:2026-03-17T15:59:59.999Z"]
    assert await wall.listed(team="south") == [name("other", hour)]
    page = await wall.read("/v1/wins", limit=4)
    assert await wall.listed(cursor=page["next"]) == names[4:]
    rows = {row["deal"]: row for row in (await wall.read("/v1/wins"))["rows"]}
    assert (rows["yen"]["amount"], rows["yen"]["currency"]) == (None, None)
    assert (rows["nobody"]["rep"], rows["nobody"]["name"], rows["nobody"]["team"]) == (None, None, None)
    assert await wall.refused("/v1/wins", team="x") == (404, "team")
    assert await wall.refused("/v1/wins", window="x") == (422, "window")
    assert await wall.refused("/v1/wins", rep="r1") == (422, "rep")


async def test_a_deal_is_of_the_team_that_its_rep_was_in_then(tmp_path: Path) -> None:
    wall = Wall(tmp_path, won("before", NOW - 9 * DAY, rep="r9"), won("after", rep="r9"))
    wall.take(change("rep", "r9", "2026-01-01T00:00Z", team="south"), change("rep", "r9", TODAY, team="north"))

    assert await wall.listed(window="30d", team="south") == [name("before", "09T12:00")]
    assert await wall.listed(window="30d", team="north") == [name("after", "18T11:00")]


def test_a_win_is_told_once_and_again_when_it_is_corrected(tmp_path: Path) -> None:
    wall = Wall(tmp_path)
    assert wall.watch()["wins"] == []

    wall.take(won(name="Acme"))
    assert wall.told() == [ANA]
    wall.take(won(name="Acme"), change("deal", "d1", NOW, next_step_at=NOW + DAY))
    assert wall.told() == []
    wall.take(change("deal", "d1", NOW, amount=15))
    assert wall.told() == [ANA | {"amount": "30.00"}]
    wall.take(change("rep", "r1", NOW, name="Ana Lim"))  # the file has the last word
    assert wall.told() == []
    wall.pipeline.restart()
    wall.view.forget_changes()
    assert wall.told() == []


def test_another_instant_is_another_win_that_takes_the_place_of_the_first(tmp_path: Path) -> None:
    wall = Wall(tmp_path, won())
    wall.watch()
    wall.take(change("deal", "d1", NOW, closed_at=NOW - 2 * HOUR))

    assert wall.told_names() == [(name("d1", "18T10:00"), False), (name("d1", "18T11:00"), True)]


@pytest.mark.parametrize("age", [HOUR, 9 * DAY])
async def test_what_is_taken_back_is_withdrawn(tmp_path: Path, age: int) -> None:
    back: dict[str, dict[str, Any]] = {
        "reopened": {"status": "open"}, "lost": {"status": "lost"}, "gone": {"deleted": True},
        "merged": {"merged_into": "stays"}, "later": {"closed_at": NOW + DAY},
    }  # fmt: skip
    wall = Wall(tmp_path, won("stays"), *(won(deal, NOW - age) for deal in back))
    wall.watch()
    names = set(await wall.listed(window="30d")) - {name("stays", "18T11:00")}
    assert len(names) == len(back)
    wall.take(*(change("deal", deal, NOW, **fields) for deal, fields in back.items()))

    assert dict(wall.told_names()) == dict.fromkeys(names, True)
    assert await wall.listed(window="30d") == [name("stays", "18T11:00")]
    seen = wall.watch()
    assert [win["deal"] for win in seen["wins"]] == ["stays"]
    assert {win["win"]: win["withdrawn"] for win in seen["taken_back"]} == dict.fromkeys(names, True)
    wall.take(*(change("deal", deal, NOW + 1, **fields) for deal, fields in back.items()))
    assert wall.told() == []


def test_what_was_won_on_another_day_is_no_news(tmp_path: Path) -> None:
    wall = Wall(tmp_path)
    wall.watch()
    wall.take(won("old", TODAY - 1), won("file", NOW, closed_at=NOW - 40 * DAY), won("first", TODAY))

    assert wall.told_names() == [(name("first", "17T16:00"), False)]
    wall.take(change("deal", "file", NOW, status="open"), change("deal", "old", NOW, amount=7))
    assert wall.told() == []


def test_what_was_won_just_before_midnight_is_news_after_it(tmp_path: Path) -> None:
    wall = Wall(tmp_path, won("noon"))
    wall.now = TODAY + DAY + MINUTE
    assert wall.watch()["wins"] == []
    wall.take(won("late", wall.now - 2 * MINUTE))

    assert wall.told_names() == [(name("late", "18T15:59"), False)]
    assert wall.watch()["wins"] == []


def test_what_is_to_be_won_yet_is_told_when_it_is(tmp_path: Path) -> None:
    wall, at = Wall(tmp_path), NOW + 3 * SECOND
    wall.watch()
    wall.take(won("soon", closed_at=at), won("never", closed_at=at))
    assert wall.told() == []
    assert wall.read_side.broadcaster.next_flush(wall.now) == at
    wall.take(change("deal", "never", NOW, status="open"))
    assert wall.told() == []
    wall.now = at

    assert wall.told_names() == [("deal_won:soon:2026-03-18T12:00:03.000Z", False)]


async def test_milestones_of_goals_are_wins(tmp_path: Path) -> None:
    wall = Wall(tmp_path, call("c1"), goals=GOALS)
    wall.watch()
    wall.reach()
    assert [(win["win"], win["milestone"]) for win in wall.told()] == [("milestone:calls:rep:r1:2026-03-01:0.5", 0.5)]
    wall.take(call("c2"), call("c3", "r2"))
    wall.now += MINUTE
    wall.reach()

    told = {win["win"]: win for win in wall.told()}
    at = "2026-03-18T12:01:00.000Z"
    assert told["goal_reached:calls:rep:r1:2026-03-01:1"] == dict.fromkeys(ANA) | {
        "win": "goal_reached:calls:rep:r1:2026-03-01:1", "cause": "goal_reached", "rep": "r1", "name": "Ana",
        "team": "north", "goal": "calls", "metric": "calls_made", "milestone": 1, "at": at, "withdrawn": False,
    }  # fmt: skip
    assert told.keys() == {
        "goal_reached:calls:rep:r1:2026-03-01:1", "milestone:calls:rep:r2:2026-03-01:0.5",
        "milestone:calls:team:north:2026-03-01:0.5",
    }  # fmt: skip
    team = told["milestone:calls:team:north:2026-03-01:0.5"]
    assert (team["rep"], team["name"], team["team"]) == (None, "North", "north")

    wall.now += 2 * DAY
    wall.told()
    wall.take(change("call", "c2", wall.now, deleted=True))
    wall.reach()
    assert ("goal_reached:calls:rep:r1:2026-03-01:1", True) in wall.told_names()
    wall.now += 20 * DAY
    wall.reach()  # the month is over, and what was reached in it was reached
    assert wall.told() == []
    assert await wall.listed(window="30d") == [
        "milestone:calls:rep:r2:2026-03-01:0.5", "milestone:calls:team:north:2026-03-01:0.5",
        "milestone:calls:rep:r1:2026-03-01:0.5",
    ]  # fmt: skip


async def test_a_goal_to_which_no_webhook_led_is_listed_and_celebrated_by_nobody(tmp_path: Path) -> None:
    wall = Wall(tmp_path, call("c1"), goals=GOALS)
    wall.watch()
    wall.reach(quiet=SILENT)

    assert wall.told() == []
    assert await wall.listed() == ["milestone:calls:rep:r1:2026-03-01:0.5"]
    assert wall.watch()["wins"] == []


def test_a_snapshot_has_the_last_twenty_of_those_who_are_asked_for(tmp_path: Path) -> None:
    deals = [won(f"d{number:02}", NOW - number * MINUTE, rep="r3" if number < 3 else "r1") for number in range(25)]
    wall = Wall(tmp_path, *deals)

    assert [win["deal"] for win in wall.watch()["wins"]] == [f"d{number:02}" for number in range(20)]
    north = wall.watch(Filter(teams=frozenset({"north"})))["wins"]
    assert [win["deal"] for win in north] == [f"d{number:02}" for number in range(3, 23)]
    assert "wins" not in wall.watch(Filter(wins=False))


def test_a_client_hears_of_those_whom_it_looks_at(tmp_path: Path) -> None:
    wall = Wall(tmp_path)
    wall.watch(Filter(teams=frozenset({"north"})))
    wall.take(won("n"), won("s", rep="r3"), won("none", rep=None))
    assert wall.told_names() == [(name("n", "18T11:00"), False)]

    wall.take(change("deal", "n", NOW, rep="r3"))  # whose it is now is not for this client
    assert [(win["win"], win["rep"], win["withdrawn"]) for win in wall.told()] == [(name("n", "18T11:00"), "r1", True)]
    wall.watch(Filter(wins=False))
    wall.take(won("more"))
    assert wall.told() == []


async def test_a_key_of_a_team_sees_its_wins_alone(tmp_path: Path) -> None:
    wall = Wall(tmp_path, won("n"), won("s", rep="r3"), won("none", rep=None))
    key = wall.key("board", team="north")

    rows = (await wall.get("/v1/wins", headers=key)).json()["rows"]
    assert [row["deal"] for row in rows] == ["n"]
    assert (await wall.get("/v1/wins", headers=key, team="south")).status_code == 403


def screens(tiles: list[Any], **more: Any) -> dict[str, Any]:
    return {"wall": {"scenes": [{"name": "One", "tiles": tiles}], **more}}


@pytest.mark.parametrize("more", [{"celebrate": [{"on": "deal_won"}]}, {}])
async def test_a_screen_that_tells_no_wins_is_sent_none(tmp_path: Path, more: dict[str, Any]) -> None:
    wall = Wall(tmp_path, won(), screens=screens([{"kind": "leads"}], **more))

    answer = await wall.get("/v1/wins", screen="wall")
    assert answer.status_code == (200 if more else 403)


async def test_a_screen_hears_of_its_teams_under_its_names(tmp_path: Path) -> None:
    more = {"teams": ["north"], "privacy": {"names": "alias", "top": 1}}
    wall = Wall(
        tmp_path, won(name="Ana Lim, 5 seats"), won("s", rep="r3"), call("c1"), goals=GOALS,
        screens=screens([{"kind": "wins"}], **more),
    )  # fmt: skip
    wall.reach()

    answer = await wall.get("/v1/wins", screen="wall")
    rows = answer.json()["rows"]
    assert [(row["cause"], row["deal_name"], row["photo"]) for row in rows] == [
        ("milestone", None, None), ("deal_won", None, None),
    ]  # fmt: skip
    assert rows[0]["name"] == rows[1]["name"] != "Ana"
    assert not {"r1", "Ana"} & set(answer.text.replace('"', " ").replace(":", " ").split())


async def test_a_win_has_the_photo_of_its_rep_where_the_screen_may_show_people(tmp_path: Path) -> None:
    scenes = [{"name": "Wins", "tiles": [{"kind": "wins"}]}]
    screens = {names: {"scenes": scenes, "privacy": {"names": names}} for names in ("full", "first", "alias", "none")}
    wall = Wall(tmp_path, won(), screens=screens, reps={"r1": {"name": "Ana Lim", "photo": "ana.png"}})
    photos = {}
    for names in screens:
        (row,) = (await wall.read("/v1/wins", screen=names))["rows"]
        photos[names] = row["photo"]

    assert photos["full"] == "/photos/r1"
    assert photos["first"] == f"/photos/{id_told('first', 'r1')}"
    assert (photos["alias"], photos["none"]) == (None, None)


async def test_what_no_webhook_told_first_is_listed_and_celebrated_by_nobody(tmp_path: Path) -> None:
    wall = Wall(tmp_path)
    assert wall.watch()["wins"] == []

    def tell(*, is_quiet: bool, won_at: int | None = NOW - HOUR) -> None:
        card = DealCard("d1", "r1", "Acme", None, None, None, None, "12", "EUR", None, None, won_at, is_quiet=is_quiet)
        wall.view.apply(DEALS.name, b"deal|d1", encode_deal(card))

    tell(is_quiet=True)
    assert wall.told() == []
    assert await wall.listed() == ["deal_won:d1:2026-03-18T11:00:00.000Z"]
    assert wall.watch()["wins"] == []
    tell(is_quiet=True, won_at=None)
    assert wall.told() == []

    # A webhook tells that it was won again; what is read anew by a replay takes nothing back.
    tell(is_quiet=False)
    assert [win["withdrawn"] for win in wall.told()] == [False]
    tell(is_quiet=True)
    assert wall.told() == []
    tell(is_quiet=True, won_at=None)
    assert [win["withdrawn"] for win in wall.told()] == [True]
