"""What of people a screen is told: the privacy of its configuration, laid on everything that is sent to it.

Owns who is left out and how the others are called. Pure; routes and the stream ask it, the page never does.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from schemas.config import Config
from schemas.config.screens import ScreenConfig
from schemas.config.tiles import LeaderboardTile, RaceTile, window_of

Json = dict[str, Any]

_SYLLABLES = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]
_TOLD_OF_REPS = ("rep", "name", "team", "window", "as_of", "currency")


@dataclass(frozen=True, slots=True)
class Ranking:
    """A list of people that a screen shows."""

    window: str
    metric: str
    team: str | None
    """Of this team alone; None: of all whom the screen is for."""
    by_goal: bool
    lower_first: bool


@dataclass(frozen=True, slots=True)
class Discretion:
    """The privacy of one screen."""

    screen: str
    top: int | None = None
    names: str = "full"
    hide_zero: bool = False
    min_group: int = 1
    rankings: tuple[Ranking, ...] = ()

    @property
    def tells_all(self) -> bool:
        """Whether nothing is kept from this screen."""
        return self.names == "full" and self.top is None and not self.hide_zero and self.min_group == 1

    @property
    def leaves_out(self) -> bool:
        """Whether there are people who are not sent."""
        return self.top is not None or self.hide_zero or self.min_group > 1

    def id_of(self, rep: str | None) -> str | None:
        """A person's id: where their name is not told in full, one that says nothing (ids are often mail addresses)."""
        if rep is None or self.names == "full":
            return rep
        return "p-" + blake2b(rep.encode(), digest_size=6, person=b"rep").hexdigest()

    def name_of(self, rep: str | None, name: str | None) -> str | None:
        """What a person is called."""
        if rep is None:
            return name
        match self.names:
            case "full":
                return name
            case "first":
                return first_name(name or rep)
            case "alias":
                return alias(rep)
            case _:
                return None

    def shown(self, ranking: Ranking, rows: Iterable[Json]) -> list[str]:
        """Whom a ranking shows of all reps, the first one first. Fewer than the smallest group: nobody."""
        standings = [
            (standing, rep["rep"])
            for rep in rows
            if (ranking.team is None or rep["team"] == ranking.team)
            and (standing := self._standing(ranking, rep)) is not None
        ]
        if len(standings) < self.min_group:
            return []
        standings.sort(key=lambda each: (-each[0], each[1]))
        return [rep for _, rep in standings[: self.top]]

    def _standing(self, ranking: Ranking, row: Json) -> Decimal | None:
        """What somebody is ranked by, the larger the better; None: they are not shown."""
        value = row["metrics"].get(ranking.metric)
        if self.hide_zero and not _number(value):
            return None
        if ranking.by_goal:
            goal = row.get("goals", {}).get(ranking.metric)
            return _number(goal["attainment"] if goal else None)
        number = _number(value)
        if number is None:
            return Decimal("-Infinity")
        return -number if ranking.lower_first else number

    def rows(self, window: str, all_rows: Sequence[Json]) -> dict[str, Json]:
        """Of a window's rows those of reps that are sent, of each only the metrics in which they are shown."""
        rows = [row for row in all_rows if "rep" in row]
        if not self.leaves_out:
            return {row["rep"]: self._called(row) for row in rows}
        metrics: dict[str, set[str]] = {}
        for ranking in self.rankings:
            if ranking.window == window:
                for rep in self.shown(ranking, rows):
                    metrics.setdefault(rep, set()).add(ranking.metric)
        return {row["rep"]: self._called(_narrowed(row, metrics[row["rep"]])) for row in rows if row["rep"] in metrics}

    def listed(self, entries: Sequence[Json]) -> list[Json]:
        """What is told of a leaderboard, whose entries are in order."""
        kept = [entry for entry in entries if not self.hide_zero or _number(entry["value"])]
        return [self._called(entry) for entry in kept[: self.top]] if len(kept) >= self.min_group else []

    def _called(self, row: Json) -> Json:
        return row | {"rep": self.id_of(row["rep"]), "name": self.name_of(row["rep"], row["name"])}

    def lead(self, lead: Json, shown: set[str]) -> Json:
        """A lead or an alert; `shown`: the reps whom the screen shows."""
        rep, name = lead.get("rep"), lead.get("name")
        told = dict(lead)
        is_shown = rep is not None and (not self.leaves_out or rep in shown)
        told["rep"] = self.id_of(rep) if is_shown else None
        told["name"] = self.name_of(rep, name) if is_shown else None
        if rep is not None and told["rep"] != rep and "id" in told and told.get("lead") is None:
            told["id"] = _without_person(told["id"])
        by = told.get("answered_rep")
        if by is not None:
            is_told = not self.leaves_out or by in shown
            told["answered_rep"] = self.id_of(by) if is_told else None
            told["answered_by"] = self.name_of(by, lead["answered_by"]) if is_told else None
        if told.get("lead_name") is not None and self.names != "full":
            told["lead_name"] = first_name(lead["lead_name"]) if self.names == "first" else None
        return told

    def win(self, win: Json) -> Json:
        """A win: it goes by `names`, not by who is shown."""
        if self.names == "full":
            return win
        rep = win.get("rep")
        told = win | {"rep": self.id_of(rep), "name": self.name_of(rep, win.get("name")), "photo": None}
        if win.get("deal_name") is not None:
            told["deal_name"] = None  # names of deals are names of people, often
        if rep is not None and win.get("goal") is not None:
            told["win"] = f"{win['cause']}:{_without_person(win['win'])}"
        return told


def discretion_of(config: Config, screen: str) -> Discretion | None:
    """The privacy of a screen of the configuration; None: there is no such screen."""
    found = config.screens.get(screen)
    return None if found is None else _discretion(config, screen, found)


def _discretion(config: Config, name: str, screen: ScreenConfig) -> Discretion:
    rankings = [
        Ranking(
            tile.window,
            tile.metric,
            tile.team,
            by_goal=isinstance(tile, LeaderboardTile) and tile.rank == "attainment",
            lower_first=config.catalogue[tile.metric].better == "lower",
        )
        for scene in screen.scenes
        for tile in scene.tiles
        if isinstance(tile, LeaderboardTile | RaceTile)
    ]
    privacy = screen.privacy
    return Discretion(
        name, privacy.top, privacy.names, privacy.hide_zero, privacy.min_group, tuple(dict.fromkeys(rankings))
    )


def windows_of(screen: ScreenConfig) -> tuple[str, ...]:
    """Every window that a screen shows; a trend ends with today, and so does the share of leads answered in time."""
    tiles = [tile for scene in screen.scenes for tile in scene.tiles]
    windows = {window for tile in tiles if (window := window_of(tile)) is not None}
    return tuple(sorted(windows | {"today"}))


def first_name(name: str) -> str:
    """Without surname, and without what a mail address says beside it."""
    text = name.partition("@")[0] if "@" in name else name
    if "," in text:
        text = text.partition(",")[2].strip() or text
    return (re.split(r"[\s._]+" if "@" in name else r"\s+", text.strip()) or [text])[0]


def _without_person(id: str) -> str:
    """The same for the same: names of alerts and goals hold the id of the person whose they are."""
    return "x-" + blake2b(id.encode(), digest_size=8, person=b"id").hexdigest()


def alias(rep: str) -> str:
    """A made-up word, the same for the same person everywhere."""
    digest = blake2b(rep.encode(), digest_size=8, person=b"alias").digest()
    word = "".join(_SYLLABLES[byte % len(_SYLLABLES)] for byte in digest[:4])
    return word.capitalize()


def _narrowed(row: Json, metrics: set[str]) -> Json:
    told = {name: row[name] for name in _TOLD_OF_REPS if name in row}
    for part in ("metrics", "bounds", "goals"):
        if part in row:
            told[part] = {name: value for name, value in row[part].items() if name in metrics}
    return told


def _number(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


@dataclass(slots=True)
class Told:
    """What one kind of client was told of people, so that it can be told what has changed."""

    discretion: Discretion
    rows: dict[str, dict[str, Json]] = field(default_factory=dict)
    """By window: what was sent of whom."""

    def take(self, window: str, rows: Sequence[Json]) -> None:
        """Note what a snapshot says."""
        self.rows[window] = self.discretion.rows(window, rows)

    def shown(self) -> set[str]:
        """Everybody whom the screen shows anywhere."""
        return {rep for rows in self.rows.values() for rep in rows}

    def news(self, window: str, rows: Sequence[Json]) -> list[Json] | None:
        """What has changed since, whole rows; None: somebody is not shown any more, which only a snapshot can say."""
        before = self.rows.get(window, {})
        after = self.rows[window] = self.discretion.rows(window, rows)
        if any(_is_less(held, after.get(rep)) for rep, held in before.items()):
            return None
        return [row for rep, row in after.items() if _values(row) != _values(before.get(rep))]


def _is_less(before: Json, after: Json | None) -> bool:
    return after is None or not before["metrics"].keys() <= after["metrics"].keys()


def _values(row: Mapping[str, Any] | None) -> Any:
    return None if row is None else {name: value for name, value in row.items() if name not in {"as_of", "window"}}
