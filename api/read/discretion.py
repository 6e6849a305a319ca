"""What of people a screen is told: the privacy of its configuration, laid on everything that is sent to it.

Owns who is left out and how the others are called. Pure; routes and the stream ask it, the page never does.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from schemas.config import Config
from schemas.config.screens import ScreenConfig
from schemas.config.tiles import LeaderboardTile, RaceTile, window_of
from schemas.media import photo_address
from schemas.naming import Names, called, id_told, lead_called, without_person
from schemas.win_words import told_win

Json = dict[str, Any]

_TOLD_OF_REPS = ("rep", "name", "team", "photo", "window", "as_of", "currency")


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
    names: Names = "full"
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
        """A person's id, or one that says nothing."""
        return id_told(self.names, rep)

    def name_of(self, rep: str | None, name: str | None) -> str | None:
        """What a person is called."""
        return called(self.names, rep, name)

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
        told = row | {"rep": self.id_of(row["rep"]), "name": self.name_of(row["rep"], row["name"])}
        if "photo" in told and self.names != "full":
            # A face says who it is: only who is called by a name is seen.
            photo = photo_address(told["rep"]) if self.names == "first" else None
            told = {name: value for name, value in told.items() if name != "photo"}
            if photo is not None:
                told["photo"] = photo
        return told

    def lead(self, lead: Json, shown: set[str]) -> Json:
        """A lead or an alert; `shown`: the reps whom the screen shows."""
        rep, name = lead.get("rep"), lead.get("name")
        told = dict(lead)
        is_shown = rep is not None and (not self.leaves_out or rep in shown)
        told["rep"] = self.id_of(rep) if is_shown else None
        told["name"] = self.name_of(rep, name) if is_shown else None
        if rep is not None and told["rep"] != rep and "id" in told and told.get("lead") is None:
            told["id"] = without_person(told["id"])
        by = told.get("answered_rep")
        if by is not None:
            is_told = not self.leaves_out or by in shown
            told["answered_rep"] = self.id_of(by) if is_told else None
            told["answered_by"] = self.name_of(by, lead["answered_by"]) if is_told else None
        if "lead_name" in told:
            told["lead_name"] = lead_called(self.names, told["lead_name"])
        return told

    def win(self, win: Json) -> Json:
        """A win: it goes by `names`, not by who is shown."""
        return told_win(win, self.names)


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
