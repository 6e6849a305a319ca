"""Screens: what hangs on the walls, when, for whom, and what of people it may say.

Owns what a screen says alone; what it says of metrics, teams and channels is checked in references.py. Shows nothing:
the api does (api/read/discretion.py applies the privacy, api/static draws).
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from schemas.config.alerts import time_of_day
from schemas.config.goals import Amount, Goal
from schemas.config.hours import DaySpan, DaySpanOrWeekdays, MonthDays, Weekdays
from schemas.config.tiles import MetricName, Tile, WinsTile
from schemas.documents.values import DurationSetting, Model, Name, Real, WholeNumber, ranging
from schemas.instants import MINUTE, SECOND
from schemas.media import is_media_name
from schemas.naming import NameStyle

Language = Literal["en", "ms", "id", "fa", "zh-Hans", "zh-Hant", "de"]
LANGUAGES: tuple[str, ...] = get_args(Language)
Cause = Literal["deal_won", "goal_reached", "milestone"]
LONGEST_ROUND = 2 * MINUTE
"""What is shown less often than this nobody waits for."""
_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")


def _is_origin(value: str) -> str:
    if not _ORIGIN.fullmatch(value):
        msg = "must be an origin as browsers say it, such as https://wiki.example.com: no path, no *, no capital letter"
        raise ValueError(msg)
    return value


Origin = Annotated[str, Field(max_length=300), AfterValidator(_is_origin)]
"""A site as browsers name it: scheme, host and port, nothing behind it."""


def _media_file(name: str) -> str:
    if not is_media_name(name):
        raise ValueError("must be a file below media/, such as gong.mp3")
    return name


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str | int) and not isinstance(value, bool) else value


MediaFile = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_media_file)]


class Privacy(Model):
    """What of people a screen is told. The api applies it, in every answer to that screen."""

    top: WholeNumber | None = Field(default=None, ge=1, le=10_000)
    """So many of a ranking; who comes below is not sent."""
    names: NameStyle = "full"
    """What people are called: by their whole name, the first one, a made-up word that stays, or not at all."""
    hide_zero: bool = False
    """Who has nothing yet is not sent."""
    min_group: WholeNumber = Field(default=1, ge=1, le=10_000)
    """Where fewer people are shown there is no ranking, but the sum."""


class When(Model):
    """When a scene is shown, in the organisation's time; all that is given must hold."""

    weekdays: Weekdays | None = None
    """Such as `mon-fri`, or `mon,thu`."""
    days: Annotated[list[MonthDays], BeforeValidator(_one_or_more), Field(min_length=1, max_length=31)] | None = None
    """Of the month."""
    hours: Annotated[list[DaySpan], BeforeValidator(_one_or_more), Field(min_length=1, max_length=24)] | None = None
    """Such as `09:00-12:00`, or a list of them."""


class Scene(Model):
    """What is seen at one time."""

    name: str = Field(min_length=1, max_length=80)
    """Another one than the screen's other scenes have; the address may ask for it by `scene`."""
    when: When | None = None
    tiles: Annotated[list[Tile], Field(min_length=1, max_length=6)]
    """What stands beside each other, the first in the first place."""


class Celebrate(Model):
    """What is celebrated."""

    on: Cause
    """What happens: a deal is won, somebody reaches a goal, or passes one of its `milestones`."""
    at_least: Amount | None = None
    """Deals of this much or more, in the organisation's currency."""
    again: bool = False
    """Whether a deal that was reopened and won a second time is celebrated again."""
    to: list[Name] = Field(default_factory=list, max_length=20)
    """Channels that are told, for those at home."""

    @model_validator(mode="after")
    def _amounts_are_of_deals(self) -> Self:
        if self.at_least is not None and self.on != "deal_won":
            raise ValueError("at_least is for deal_won alone")
        if self.again and self.on != "deal_won":
            raise ValueError("again is for deal_won alone")
        return self

    def takes(self, cause: str, amount: Decimal | None) -> bool:
        """Whether this is to be celebrated."""
        if cause != self.on:
            return False
        return self.at_least is None or (amount is not None and amount >= self.at_least)


class Sound(Model):
    """What is heard with a celebration."""

    on: bool = False
    """Whether there is any; a browser wants one click before it plays it."""
    volume: Real = Field(default=0.5, ge=0, le=1)
    """1 is the loudest."""
    quiet: Annotated[list[DaySpanOrWeekdays], Field(max_length=50)] = Field(default_factory=list)
    """When there is none, in the organisation's time."""
    files: dict[Cause, MediaFile] = Field(default_factory=dict)
    """By cause: files below `media/` beside the configuration, of at most 1 MiB and 10 s."""


class ScreenConfig(Model):
    """An entry of `screens`."""

    title: str | None = Field(default=None, min_length=1, max_length=120)
    """Left out: the team's name, or the organisation's."""
    language: Language = "en"
    """Of its words, dates and numbers."""
    theme: Literal["dark", "light"] = "dark"
    """Light on dark, or dark on light."""
    calm: bool = False
    """No celebrations, no motion."""
    privacy: Privacy = Privacy()
    teams: list[Name] = Field(default_factory=list, max_length=100)
    """Whose numbers; left out: everybody's."""
    rotate: Annotated[
        DurationSetting,
        ranging("must be between 10s and 60s", least=10 * SECOND, most=60 * SECOND),
    ] = 20 * SECOND
    """How long each of several scenes is seen before the next: `10s` to `60s`."""
    scenes: Annotated[list[Scene], Field(min_length=1, max_length=20)]
    celebrate: list[Celebrate] = Field(default_factory=list, max_length=20)
    sound: Sound = Sound()
    blank: Annotated[list[DaySpanOrWeekdays], Field(max_length=50)] = Field(default_factory=list)
    """When the screen is dark, in the organisation's time."""
    frame_ancestors: list[Origin] = Field(default_factory=list, max_length=50)
    """Sites whose pages may hold this screen, or one tile of it, in a frame."""

    @field_validator("scenes")
    @classmethod
    def _names_differ(cls, scenes: list[Scene]) -> list[Scene]:
        names = [scene.name for scene in scenes]
        for name in names:
            if names.count(name) > 1:
                msg = f"there are two scenes named {name!r}"
                raise ValueError(msg)
        return scenes

    @model_validator(mode="after")
    def _tiles_are_of_its_teams(self) -> Self:
        for number, scene in enumerate(self.scenes):
            for place, tile in enumerate(scene.tiles):
                team = getattr(tile, "team", None)
                if team is not None and self.teams and team not in self.teams:
                    msg = f"scenes.{number}.tiles.{place}.team: {team!r} is none of the screen's teams"
                    raise ValueError(msg)
        return self

    @property
    def tells_wins(self) -> bool:
        """Whether what is won is anything to this screen."""
        return bool(self.celebrate) or any(isinstance(tile, WinsTile) for scene in self.scenes for tile in scene.tiles)

    def remarks(self, goals: Mapping[str, Goal]) -> dict[str, str]:
        """What is allowed but does not do what is meant: setting -> why. `goals`: those of the configuration."""
        found: dict[str, str] = {}
        if self.sound.files and not self.sound.on:
            found["sound.files"] = "are not heard: sound.on is false"
        turns = [scene for scene in self.scenes if scene.when is None]
        if len(turns) * self.rotate > LONGEST_ROUND:
            seconds = len(turns) * self.rotate // SECOND
            found["rotate"] = f"{len(turns)} scenes take {seconds} s to come round; nobody waits for more than 120 s"
        for index, celebrated in enumerate(self.celebrate):
            reached = [limit for goal in goals.values() for limit in goal.milestones]
            if celebrated.on == "goal_reached" and 1 not in reached:
                found[f"celebrate.{index}.on"] = "no goal has 1 among its milestones, so none is told as reached"
            elif celebrated.on == "milestone" and not reached:
                found[f"celebrate.{index}.on"] = "no entry of goals has milestones"
        return found

    def scene(self, name: str) -> Scene | None:
        """The scene of that name."""
        return next((scene for scene in self.scenes if scene.name == name), None)


class Digest(Model):
    """The day in one message, once a day to each of its channels."""

    at: Annotated[str, BeforeValidator(time_of_day)]
    """In the organisation's time."""
    days: Weekdays = "mon-sun"
    """On which it is told."""
    to: Annotated[list[Name], Field(min_length=1, max_length=20)]
    """Channels; each is told people by its own `names`."""
    metrics: list[MetricName] = Field(default_factory=list, max_length=20)
    """What its table has; left out: what the screens show in figures, else the usual ones."""
    language: Language | None = None
    """Of alerts too. Left out: that of the first screen, else English."""
