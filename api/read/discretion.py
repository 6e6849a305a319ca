"""What of people a screen is told: the privacy of its configuration, laid on everything that is sent to it.

Owns who is left out and how the others are called. Pure; routes and the stream ask it, the page never does.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from decimal import Decimal
from heapq import nsmallest
from typing import Any, NamedTuple

from schemas.config import Config
from schemas.config.screens import ScreenConfig
from schemas.config.tiles import LeaderboardTile, RaceTile, window_of
from schemas.json_object import Json
from schemas.media import photo_address
from schemas.naming import NameStyle, called, id_told, lead_called, without_person
from schemas.win_words import told_win

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
    names: NameStyle = "full"
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

    def standing(self, ranking: Ranking, row: Json) -> Decimal | None:
        """What somebody is ranked by, the larger the better; None: they are not shown."""
        if ranking.team is not None and row["team"] != ranking.team:
            return None
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

    def listed(self, entries: Sequence[Json]) -> list[Json]:
        """What is told of a leaderboard, whose entries are in order."""
        kept = [entry for entry in entries if not self.hide_zero or _number(entry["value"])]
        return [self.called(entry) for entry in kept[: self.top]] if len(kept) >= self.min_group else []

    def called(self, row: Json) -> Json:
        """A row of a person, with what the screen calls them."""
        told = row | {"rep": self.id_of(row["rep"]), "name": self.name_of(row["rep"], row["name"])}
        if "photo" in told and self.names != "full":
            # A face says who it is: only who is called by a name is seen.
            photo = photo_address(told["rep"]) if self.names == "first" else None
            told = {name: value for name, value in told.items() if name != "photo"}
            if photo is not None:
                told["photo"] = photo
        return told

    def lead(self, lead: Json, shown: Container[str]) -> Json:
        """A lead or an alert; `shown`: the reps whom the screen shows, where people are left out."""
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


def _narrowed(row: Json, metrics: frozenset[str]) -> Json:
    told = {name: row[name] for name in _TOLD_OF_REPS if name in row}
    for part in ("metrics", "bounds", "goals"):
        if part in row:
            told[part] = {name: value for name, value in row[part].items() if name in metrics}
    return told


def _number(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


class Moves(NamedTuple):
    """Who is shown otherwise than before."""

    whole: frozenset[tuple[str, str]] = frozenset()
    """Window and rep: shown with other metrics, or not any more."""
    is_less: bool = False
    """Whether something is not shown any more, which only a snapshot can say."""


class ScreenAudience:
    """Whom one kind of screen shows. It is told of every row as it changes, and settles who that leaves."""

    def __init__(self, discretion: Discretion) -> None:
        self.discretion = discretion
        self._standings: dict[Ranking, dict[str, Decimal]] = {ranking: {} for ranking in discretion.rankings}
        self._moved: set[Ranking] = set()
        self._best: dict[Ranking, frozenset[str]] = {}
        self._shown: dict[str, dict[str, frozenset[str]]] = {}
        """By window and rep: in which metrics."""

    def __contains__(self, rep: object) -> bool:
        """Whether the screen shows them anywhere."""
        return not self.discretion.leaves_out or any(rep in reps for reps in self._shown.values())

    def take(self, window: str, row: Json) -> None:
        """Note a whole row of a person."""
        for ranking, standings in self._standings.items():
            if ranking.window == window:
                self._put(ranking, standings, row["rep"], self.discretion.standing(ranking, row))

    def forget(self, rep: str) -> None:
        """They are nobody whom the screen could show."""
        for ranking, standings in self._standings.items():
            self._put(ranking, standings, rep, None)

    def settle(self) -> Moves:
        """Who is shown after what was noted."""
        if not self.discretion.leaves_out or not self._moved:
            return Moves()
        windows = {ranking.window for ranking in self._moved}
        for ranking in self._moved:
            self._best[ranking] = self._best_of(self._standings[ranking])
        self._moved.clear()
        moved, is_less = set(), False
        for window in windows:
            before, after = self._shown.get(window, {}), self._shown_in(window)
            self._shown[window] = after
            nothing = frozenset[str]()
            others = {rep for rep in before.keys() | after.keys() if before.get(rep) != after.get(rep)}
            is_less |= any(not before.get(rep, nothing) <= after.get(rep, nothing) for rep in others)
            moved |= {(window, rep) for rep in others}
        return Moves(frozenset(moved), is_less)

    def row(self, window: str, row: Json) -> Json | None:
        """A person's row, or what has changed of it, as the screen gets it; None: it does not show them."""
        if not self.discretion.leaves_out:
            return self.discretion.called(row)
        metrics = self._shown.get(window, {}).get(row["rep"])
        return None if metrics is None else self.discretion.called(_narrowed(row, metrics))

    def _put(self, ranking: Ranking, standings: dict[str, Decimal], rep: str, standing: Decimal | None) -> None:
        if standings.get(rep) == standing:
            return
        self._moved.add(ranking)
        if standing is None:
            del standings[rep]
        else:
            standings[rep] = standing

    def _best_of(self, standings: dict[str, Decimal]) -> frozenset[str]:
        """Whom a ranking shows. Fewer than the smallest group: nobody."""
        top = self.discretion.top
        if len(standings) < self.discretion.min_group:
            return frozenset()
        if top is None or len(standings) <= top:
            return frozenset(standings)
        return frozenset(rep for rep, _ in nsmallest(top, standings.items(), key=lambda each: (-each[1], each[0])))

    def _shown_in(self, window: str) -> dict[str, frozenset[str]]:
        shown: dict[str, frozenset[str]] = {}
        for ranking, best in self._best.items():
            if ranking.window == window:
                metric = frozenset({ranking.metric})
                for rep in best:
                    shown[rep] = shown.get(rep, metric) | metric
        return shown
