"""`/v1/digest`: what the digest would say now."""

from pathlib import Path
from typing import Any

from tests.api.reading import Floor, floor_config
from tests.builders import change, instant

NOW = instant("2026-03-18T09:30Z")
"""17:30 in Kuala Lumpur."""
HOOK = {"kind": "webhook", "url": "https://example.com"}


def made(path: Path, **more: Any) -> Floor:
    floor = Floor(path, floor_config(**more), NOW)
    floor.take(
        change("call", "c1", NOW, rep="r1", direction="outbound", dialed_at=NOW - 1),
        change("deal", "d1", NOW, rep="r1", status="won", amount=12, currency="USD", name="Acme"),
        change("lead", "l1", NOW, rep="r1", received_at=NOW - 7_200_000_000, name="Jane Doe"),
    )
    return floor


async def test_it_says_the_day_so_far_whether_or_not_it_is_configured(tmp_path: Path) -> None:
    said = await made(tmp_path).read("/v1/digest")

    assert said["title"] == "The day at Acme: Wednesday, March 18, 2026"
    assert ["Calls made", "1", "0", "\N{EN DASH}"] in said["table"]
    assert "Deal won: Ana, $12 · Acme" in said["lines"]
    assert "Jane Doe (Ana), waiting for 2h 00m" in said["lines"]
    assert said["text"].startswith(said["title"])
    assert said["as_of"] == "2026-03-18T09:30:00.000Z"


async def test_it_is_said_as_a_channel_may_know_it_in_the_language_of_the_screens(tmp_path: Path) -> None:
    screens = {
        "floor": {
            "language": "de",
            "privacy": {"names": "first"},
            "scenes": [{"name": "A", "tiles": [{"kind": "wins"}]}],
        }
    }
    floor = made(
        tmp_path, screens=screens, digest={"at": "17:30", "to": ["desk"], "metrics": ["calls_made"]},
        alerts={"channels": {"desk": HOOK, "boss": HOOK | {"names": "full"}}},
    )  # fmt: skip
    said = await floor.read("/v1/digest")

    assert said["table"] == [["Kennzahl", "Heute", "Tag davor", "Änderung"], ["Anrufe", "1", "0", "\N{EN DASH}"]]
    assert "Jane Doe" not in said["text"]
    assert "Jane (Ana), wartet seit 2 Std., 00 Min." in said["lines"]
    assert "Jane Doe (Ana), wartet seit 2 Std., 00 Min." in (await floor.read("/v1/digest", channel="boss"))["lines"]
    assert await floor.refused("/v1/digest", channel="x") == (422, "channel")


async def test_wins_of_which_the_same_is_said_are_one_line(tmp_path: Path) -> None:
    floor = made(tmp_path, alerts={"channels": {"desk": HOOK | {"names": "none"}}})
    floor.take(
        *(
            change("deal", f"d{number}", NOW, rep="r2", status="won", amount=12, currency="USD")
            for number in range(2, 14)
        ),
        change("deal", "large", NOW, rep="r2", status="won", amount=900, currency="USD"),
    )
    said = (await floor.read("/v1/digest", channel="desk"))["lines"]

    assert "14 wins today" in said
    assert sorted(line for line in said if line.startswith("Deal won")) == ["Deal won, $12 × 13", "Deal won, $900"]
    assert not [line for line in said if "more" in line]


async def test_goals_of_one_metric_are_told_apart_by_their_periods(tmp_path: Path) -> None:
    goals = {
        period: {"metric": "calls_made", "period": period, "amounts": [{"team": "north", "amount": 8}]}
        for period in ("day", "quarter", "fiscal_quarter")
    }
    said = (await made(tmp_path, goals=goals, fiscal={"year_starts": "02-01"}).read("/v1/digest"))["lines"]

    assert [line.partition(":")[0] for line in said if line.startswith("Calls made")] == [
        "Calls made, North, today",
        "Calls made, North, this quarter",
        "Calls made, North, February 1, 2026 \N{EN DASH} April 30, 2026",
    ]


async def test_a_share_changes_by_points(tmp_path: Path) -> None:
    floor = made(tmp_path, digest={"at": "17:30", "to": ["desk"], "metrics": ["connect_rate"], "language": "de"},
                 alerts={"channels": {"desk": HOOK}})  # fmt: skip
    day = 86_400_000_000
    floor.take(
        change("call", "c2", NOW, rep="r1", direction="outbound", outcome="connected", dialed_at=NOW - 2),
        change("call", "c3", NOW, rep="r1", direction="outbound", dialed_at=NOW - day),
    )

    assert (await floor.read("/v1/digest"))["table"][1] == ["Verbindungsquote", "50\xa0%", "0\xa0%", "+50\xa0%-Pkt."]


async def test_a_key_of_a_team_does_not_see_the_whole_day(tmp_path: Path) -> None:
    floor = made(tmp_path)

    assert (await floor.get("/v1/digest", floor.key("read", "north"))).status_code == 403
