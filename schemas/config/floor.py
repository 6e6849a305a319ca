"""Whose numbers these are: organisation, calendars, teams, reps.

Owns what each of them says alone; what one says of another is checked in whole.py.
"""

from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationInfo, field_validator

from schemas.calendars import BusinessCalendar, parse_week, public_holidays
from schemas.config.hours import Weekdays, WorkSpan
from schemas.documents.values import Currency, DateOrInstant, Model, Name, TimeZone
from schemas.media import is_media_name


class Organisation(Model):
    """Whose numbers these are: the calendar of days, weeks and money."""

    name: str = Field(min_length=1, max_length=200)
    """What pages and messages call it."""
    timezone: TimeZone
    """Where a day begins at midnight: days, weeks, months and years of all numbers go by it."""
    currency: Currency
    """In which money is served; amounts in others need `currency_rates`."""
    week_starts: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = "monday"
    """The first day of the window `week`."""
    calendar: Name | None = None
    """One of `calendars`: for leads without an owner or a team, and for teams without a calendar of their own."""

    @property
    def zone(self) -> ZoneInfo:
        """The organisation's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def first_weekday(self) -> int:
        """0 for Monday, as in `date.weekday()`."""
        return ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday").index(self.week_starts)


class Holidays(Model):
    """Days without work: the public holidays of a country or a part of it, and others by date."""

    country: str | None = Field(default=None, pattern=r"^[A-Z]{2,3}$")
    """ISO 3166-1, such as DE."""
    subdivision: str | None = Field(default=None, max_length=20)
    """Of the country, such as BE for Berlin in DE."""
    extra: list[date] = Field(default_factory=list, max_length=1000)
    """Further free days, such as `2026-12-24`."""

    @field_validator("country")
    @classmethod
    def _known(cls, country: str | None) -> str | None:
        if country is not None:
            public_holidays(country, None)
        return country

    @field_validator("subdivision")
    @classmethod
    def _of_the_country(cls, subdivision: str | None, info: ValidationInfo) -> str | None:
        if subdivision is not None and "country" in info.data:
            if info.data["country"] is None:
                raise ValueError("needs a country")
            public_holidays(info.data["country"], subdivision)
        return subdivision


class BusinessHours(Model):
    """An entry of `calendars`: when those work who go by it."""

    timezone: TimeZone
    """Of the hours and holidays."""
    hours: dict[Weekdays, Annotated[list[WorkSpan], Field(max_length=24)]] = Field(max_length=7)
    """By weekdays (`mon-fri`, `sat`, `mon,wed`): spans such as `09:00-18:00`. Days not named are free."""
    holidays: Holidays = Holidays()

    @field_validator("hours")
    @classmethod
    def _readable(cls, hours: dict[str, list[str]]) -> dict[str, list[str]]:
        parse_week(hours)
        return hours

    def calendar(self) -> BusinessCalendar:
        """The calendar that counts business time; it remembers what it has worked out, so make it once."""
        extra = frozenset(self.holidays.extra)
        country = self.holidays.country
        is_public = None if country is None else public_holidays(country, self.holidays.subdivision)
        return BusinessCalendar(
            ZoneInfo(self.timezone),
            parse_week(self.hours),
            lambda day: day in extra or (is_public is not None and is_public(day)),
        )


class Team(Model):
    """A team of the roster."""

    name: str | None = Field(default=None, max_length=200)
    """What pages and messages call it; left out: as a `rep` record of it does, else its id."""
    calendar: Name | None = None
    """One of `calendars`; without one the team goes by `organisation.calendar`.

    Where that is missing too, no business time is counted for the team, and its SLAs run on elapsed time.
    """


class Rep(Model):
    """A person of the roster. What stands here wins over a `rep` record, field by field."""

    name: str | None = Field(default=None, max_length=200)
    """What pages and messages call the person; without one here or in a record it is the id."""
    email: str | None = Field(default=None, max_length=320)
    """By which files that name people by mail (`rep_by`) find this one."""
    team: Name | None = None
    """One of `teams`, whatever records say."""
    active: bool | None = None
    """Whether the person works here; if `false` no threshold looks at the person, and what was done still counts."""
    since: DateOrInstant | None = None
    """The first day of the person here, as `2026-03-18`, or an instant of it."""
    until: DateOrInstant | None = None
    """The last day, likewise."""
    region: str | None = Field(default=None, max_length=200)
    """Where the person sells: a dimension of metrics."""
    role: str | None = Field(default=None, max_length=200)
    """As what the person works: a dimension of metrics."""
    photo: str | None = Field(default=None, max_length=1024)
    """The picture: a file below `media/` beside this one, of at most 1 MiB: PNG, JPEG, WebP or GIF."""

    @field_validator("photo")
    @classmethod
    def _below_media(cls, photo: str | None) -> str | None:
        if photo is not None and not is_media_name(photo):
            msg = "must be a file below media/, such as ana.jpg: pages take pictures from floorcast alone"
            raise ValueError(msg)
        return photo

    attributes: dict[str, Any] | None = None
    """Whatever else is to be said of the person, by name."""
    aliases: dict[Name, list[str]] = Field(default_factory=dict)
    """By connection: the ids this person has there."""
