"""`floorcast.yaml` as typed values: connections, roster, teams, SLA rules, alerts, retention.

Owns the shape, defaults and checks of the configuration, and errors that name file, line and field. Reads no
environment by itself and opens no file but the one it is given.
"""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from hashlib import sha256
from math import ceil
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from schemas.calendars import BusinessCalendar, parse_week, public_holidays
from schemas.instants import DAY, HOUR, MINUTE, parse_duration

MAX_FILE = 1 << 20


class ConfigError(Exception):
    """The configuration cannot be used. One line per problem, each naming file, line and field."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


def _duration(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):  # a default, already in microseconds
        return value
    if not isinstance(value, str):
        msg = "must be a duration such as 30s, 5m, 1h or 2d"
        raise ValueError(msg)
    return parse_duration(value)


def _positive(value: int) -> int:
    if value <= 0:
        msg = "must be longer than 0"
        raise ValueError(msg)
    return value


def _timezone(value: str) -> str:
    if value not in available_timezones():
        msg = f"{value!r} is not an IANA time zone such as Europe/Berlin"
        raise ValueError(msg)
    return value


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value):
        msg = "must be 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit"
        raise ValueError(msg)
    return value


Duration = Annotated[int, BeforeValidator(_duration), AfterValidator(_positive)]
"""Written `30s`, `5m`, `1h`, `2d`; kept in microseconds."""
TimeZone = Annotated[str, AfterValidator(_timezone)]
Name = Annotated[str, AfterValidator(_name)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Organisation(_Model):
    """Whose numbers these are: the calendar of days, weeks and money."""

    name: str = Field(min_length=1, max_length=200)
    timezone: TimeZone
    currency: Currency
    week_starts: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = "monday"

    @property
    def zone(self) -> ZoneInfo:
        """The organisation's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def first_weekday(self) -> int:
        """0 for Monday, as in `date.weekday()`."""
        return ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday").index(self.week_starts)


class Connection(_Model):
    """A CRM that posts to `/webhooks/{name}`."""

    kind: Literal["generic", "hubspot"]
    secrets: list[SecretStr] = Field(min_length=1, max_length=8)
    public_url: str | None = Field(default=None, pattern=r"^https?://[^/\s]+(/[^\s]*)?$")
    """Where the CRM thinks it posts: scheme, host and a path prefix if a proxy takes one away."""
    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,32}$")] = ""

    @field_validator("secrets")
    @classmethod
    def _no_empty_secret(cls, secrets: list[SecretStr]) -> list[SecretStr]:
        # An empty secret verifies against an empty key, which anyone can forge.
        if any(len(secret.get_secret_value()) < 8 for secret in secrets):
            msg = "a secret must have at least 8 characters"
            raise ValueError(msg)
        return secrets

    @model_validator(mode="after")
    def _hubspot_signs_its_url(self) -> Self:
        if self.kind == "hubspot" and self.public_url is None:
            msg = "public_url is needed: HubSpot signs the address it posts to"
            raise ValueError(msg)
        return self


class Holidays(_Model):
    """Days without work: the public holidays of a country or a part of it, and others by date."""

    country: str | None = Field(default=None, pattern=r"^[A-Z]{2,3}$")
    """ISO 3166-1, such as DE."""
    subdivision: str | None = Field(default=None, max_length=20)
    """Of the country, such as BE for Berlin in DE."""
    extra: list[date] = Field(default_factory=list, max_length=1000)

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.country is None and self.subdivision is not None:
            msg = "subdivision needs a country"
            raise ValueError(msg)
        if self.country is not None:
            public_holidays(self.country, self.subdivision)
        return self


class BusinessHours(_Model):
    """An entry of `calendars`: when those work who go by it."""

    timezone: TimeZone
    hours: dict[str, Annotated[list[str], Field(max_length=24)]] = Field(max_length=7)
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


class Team(_Model):
    """A team of the roster."""

    name: str | None = Field(default=None, max_length=200)
    calendar: Name | None = None
    """One of `calendars`. Without one no business time is counted for the team, and its SLAs run on elapsed time."""


class Rep(_Model):
    """A person of the roster. What stands here wins over a `rep` record, field by field."""

    name: str | None = Field(default=None, max_length=200)
    email: str | None = Field(default=None, max_length=320)
    team: Name | None = None
    active: bool | None = None
    aliases: dict[Name, list[str]] = Field(default_factory=dict)
    """By connection: the ids this person has there."""


class RuleCondition(_Model):
    """What a lead must be for an SLA rule to hold; a list means any of them."""

    source: str | list[str] | None = None
    team: str | list[str] | None = None
    """The team of the lead's owner on the day the clock started."""

    def holds(self, source: str | None, team: str | None) -> bool:
        """Whether a lead of that source, of an owner in that team, is meant."""
        return _is_among(source, self.source) and _is_among(team, self.team)


def _is_among(value: str | None, wanted: str | list[str] | None) -> bool:
    return wanted is None or value in ([wanted] if isinstance(wanted, str) else wanted)


class SlaRule(_Model):
    """How fast a lead has to be answered."""

    when: RuleCondition = RuleCondition()
    sla: Duration
    clock: Literal["elapsed", "business"] = "elapsed"
    """`business`: the calendar of the owner's team; elapsed time for a team that has none."""

    @field_validator("sla")
    @classmethod
    def _within_a_year(cls, sla: int) -> int:
        if sla > 366 * DAY:
            msg = "must be at most 366d"
            raise ValueError(msg)
        return sla


_AN_HOUR = SlaRule(sla=HOUR)  # type: ignore[arg-type, unused-ignore]


class LeadResponse(_Model):
    """When a lead's clock starts, what stops it, and how long it may run."""

    start: Literal["received", "assigned", "reassigned"] = "received"
    """`reassigned`: since its owner has had it."""
    stop: Literal["attempt", "contact", "qualified"] = "attempt"
    automated: Literal["exclude", "include"] = "exclude"
    responder: Literal["anyone", "owner", "team"] = "anyone"
    """Whose touch stops the clock: `owner` who held the lead at that instant, `team` somebody of that owner's team."""
    credit: Literal["sender", "owner"] = "sender"
    """For whom an answer counts: who gave it, or the lead's owner."""
    before_start: Literal["zero", "exclude"] = "zero"
    """A touch before the start: an answer in 0 seconds, or none."""
    warn_at: float = Field(default=0.75, gt=0, lt=1)
    """Of the SLA, on the rule's clock."""
    escalate_after: Duration = 2 * HOUR
    """After the start, on the rule's clock; never before the lead is due."""
    rules: list[SlaRule] = Field(default_factory=list, max_length=200)

    def rule(self, source: str | None, team: str | None) -> SlaRule:
        """The first rule that matches; an hour of elapsed time where none does."""
        return next((rule for rule in self.rules if rule.when.holds(source, team)), _AN_HOUR)

    def warn_after(self, sla: int) -> int:
        """How much of this SLA may go before the warning, in whole microseconds."""
        return _share_of(self.warn_at, sla)

    @property
    def needs_calendars(self) -> bool:
        """Whether any rule runs on business time."""
        return any(rule.clock == "business" for rule in self.rules)


@lru_cache(1024)
def _share_of(share: float, duration: int) -> int:
    # Every lead asks, and there are as many answers as rules: to work one out takes 6 µs.
    return ceil(Fraction(str(share)) * duration)


class Conversation(_Model):
    """What makes a call a conversation."""

    min_talk: Duration = MINUTE


Level = Literal["warn", "breach", "escalate"]


_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class QuietHours(_Model):
    """When a channel is left in peace, every day; what comes then is told when they end, if it is still so."""

    hours: str
    """Such as `20:00-07:00`."""
    timezone: TimeZone
    let_through: list[Level] = Field(default_factory=list)
    """Levels that do not wait."""

    @field_validator("hours")
    @classmethod
    def _span(cls, hours: str) -> str:
        found = _HOURS.fullmatch(hours)
        if found is None or found[1] + found[2] == found[3] + found[4]:
            msg = f"{hours!r} is not a span such as 20:00-07:00"
            raise ValueError(msg)
        return hours

    @property
    def span(self) -> tuple[int, int]:
        """Minutes of the day at which they begin and end; the end may be on the next day."""
        begin, end = (int(text[:2]) * 60 + int(text[3:]) for text in self.hours.split("-"))
        return begin, end


class _HttpChannel(_Model):
    url: SecretStr
    """Some services know their callers by the address alone, so it is kept like a secret."""
    allow_private: bool = False
    """Whether it may lead into a private network or to this machine."""
    quiet: QuietHours | None = None

    @field_validator("url")
    @classmethod
    def _web_address(cls, url: SecretStr) -> SecretStr:
        if not re.fullmatch(r"https?://[^\s/@?#]+(:\d+)?([/?][^\s#]*)?", url.get_secret_value()):
            msg = "must be an http or https address without user name and fragment"
            raise ValueError(msg)
        return url


class WebhookChannel(_HttpChannel):
    """Alerts as JSON to any address, signed as Standard Webhooks if there is a secret."""

    kind: Literal["webhook"]
    secret: SecretStr | None = Field(default=None, min_length=8)


class SlackChannel(_HttpChannel):
    """A Slack incoming webhook."""

    kind: Literal["slack"]


class TeamsChannel(_HttpChannel):
    """A Microsoft Teams workflow that takes posts."""

    kind: Literal["teams"]


class AlertmanagerChannel(_HttpChannel):
    """Prometheus Alertmanager: its address without `/api/v2/alerts`."""

    kind: Literal["alertmanager"]
    secret: SecretStr | None = Field(default=None, min_length=1)
    """Bearer token, where a proxy asks for one."""


MailAddress = Annotated[str, Field(max_length=320, pattern=r"^[^@\s<>,]+@[^@\s<>,]+$")]


class EmailChannel(_Model):
    """Mail by an SMTP server."""

    kind: Literal["email"]
    url: str = Field(pattern=r"^smtps?://[^\s/@?#:]+(:\d{1,5})?/?$")
    """`smtps://host:465` (TLS from the start) or `smtp://host:587` (STARTTLS where the server offers it)."""
    username: str | None = Field(default=None, min_length=1, max_length=320)
    secret: SecretStr | None = Field(default=None, min_length=1)
    """The password of `username`."""
    sender: MailAddress
    recipients: list[MailAddress] = Field(min_length=1, max_length=50)
    allow_private: bool = False
    quiet: QuietHours | None = None

    @model_validator(mode="after")
    def _whole_login(self) -> Self:
        if (self.username is None) != (self.secret is None):
            msg = "username and secret belong together"
            raise ValueError(msg)
        return self


Channel = Annotated[
    WebhookChannel | SlackChannel | TeamsChannel | EmailChannel | AlertmanagerChannel, Field(discriminator="kind")
]


AlertKind = Literal["lead_response", "metric_threshold"]


class AlertRoute(_Model):
    """Which alerts go where."""

    kinds: list[AlertKind] | None = Field(default=None, min_length=1)
    """Of leads, of metrics. None: both."""
    levels: list[Level] | None = Field(default=None, min_length=1)
    """None: all."""
    teams: list[str] | None = Field(default=None, min_length=1)
    """None: all, and leads of nobody's team and numbers of the organisation too."""
    to: list[Name] = Field(min_length=1)

    def matches(self, kind: str, level: str, team: str | None) -> bool:
        """Whether alerts of that kind and level, about that team, go this way."""
        return (
            (self.kinds is None or kind in self.kinds)
            and (self.levels is None or level in self.levels)
            and (self.teams is None or team in self.teams)
        )


def _limit(value: Any) -> Any:
    """YAML numbers and decimal text alike; a float is taken as it is written, not as the binary number next to it."""
    if isinstance(value, Decimal):
        return value
    text = str(value).strip() if isinstance(value, int | float | str) and not isinstance(value, bool) else ""
    if re.fullmatch(r"-?\d{1,18}(\.\d{1,9})?", text, re.ASCII) is None:
        msg = 'must be a number such as 10 or 0.25, or a decimal text such as "1000000.50"'
        raise ValueError(msg)
    return Decimal(text)


Limit = Annotated[Decimal, BeforeValidator(_limit)]
"""What a metric is compared with, in the metric's unit."""


def _time_of_day(value: Any) -> Any:
    # YAML reads 11:00 without quotes as a number to the base of 60.
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return f"{value // 60:02d}:{value % 60:02d}"
    if not isinstance(value, str) or re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value, re.ASCII) is None:
        msg = 'must be a time of day such as "11:00"'
        raise ValueError(msg)
    return value


Comparison = Literal["below", "above", "reaches"]


class Threshold(_Model):
    """A limit that a metric must not cross, or one that is good to reach. One of `below`, `above`, `reaches`."""

    metric: str
    """One of [the metrics](metrics.md)."""
    per: Literal["rep", "team", "organisation"]
    """Whose numbers: those of each active person of the roster, of each team that has one, or all together."""
    teams: list[str] | None = Field(default=None, min_length=1)
    """Only these teams, or reps of these teams."""
    window: str = "today"
    """Any window but `yesterday`. In `today`, `week`, `month`, `quarter` and `year` an alert is told once a period."""
    below: Limit | None = None
    """Raised while the metric is less. Money is written in the organisation's currency."""
    above: Limit | None = None
    """Raised while it is more."""
    reaches: Limit | None = None
    """A milestone: raised once it is as much or more."""
    at: Annotated[str, BeforeValidator(_time_of_day)] | None = None
    """With window `today`: looked at from this time on, such as `"11:00"`, on working days only, both by `calendar`."""
    during: Literal["business hours"] | None = None
    """Looked at only while `calendar` says that people work."""
    calendar: Name | None = None
    """One of `calendars`. None: that of the team; without one every day is a working day in the organisation's zone."""
    level: Level = "warn"
    """How grave it is: for routes, quiet hours and the wallboard."""

    @field_validator("window")
    @classmethod
    def _crossable(cls, window: str) -> str:
        _known_window(window)
        if window == "yesterday":
            msg = "yesterday is over: nothing can cross a limit in it"
            raise ValueError(msg)
        return window

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        written = [name for name in ("below", "above", "reaches") if getattr(self, name) is not None]
        if len(written) != 1:
            msg = "needs one of below, above and reaches" + (f", not {' and '.join(written)}" if written else "")
            raise ValueError(msg)
        if self.at is not None and (self.window != "today" or self.reaches is not None or self.during is not None):
            msg = "at goes with window today and below or above, and without during"
            raise ValueError(msg)
        if self.during is not None and (self.window == "24h" or self.reaches is not None):
            msg = "during goes with below or above and any window but 24h, which always holds a night"
            raise ValueError(msg)
        if self.per == "organisation" and self.teams is not None:
            msg = "teams goes with per rep or per team"
            raise ValueError(msg)
        if self.during is not None and self.per == "organisation" and self.calendar is None:
            msg = "during needs a calendar: the organisation as a whole has none"
            raise ValueError(msg)
        return self

    @property
    def comparison(self) -> Comparison:
        """Which of the three it is."""
        return "below" if self.below is not None else "above" if self.above is not None else "reaches"

    @property
    def limit(self) -> Decimal:
        """What is compared with."""
        found = self.below if self.below is not None else self.above if self.above is not None else self.reaches
        return Decimal(0) if found is None else found

    @property
    def definition(self) -> str:
        """A digest of all that it says: what was raised by another definition is another alert."""
        return sha256(self.model_dump_json().encode()).hexdigest()[:8]


class Alerts(_Model):
    """Who is told of leads that wait too long, and of metrics that cross a limit."""

    channels: dict[Name, Channel] = Field(default_factory=dict, max_length=50)
    routes: list[AlertRoute] = Field(default_factory=list, max_length=200)
    thresholds: dict[Name, Threshold] = Field(default_factory=dict, max_length=100)

    def channels_for(self, level: str, team: str | None, kind: str = "lead_response") -> list[str]:
        """The names of the channels that such an alert goes to: those of every route that matches, each once.

        Where there are no routes, everything goes to all channels.
        """
        if not self.routes:
            return list(self.channels)
        matching = [route for route in self.routes if route.matches(kind, level, team)]
        return list(dict.fromkeys(name for route in matching for name in route.to))


class PrometheusExport(_Model):
    """Which windows are exported per rep and team."""

    windows: list[str] = Field(default=["today", "1h"], max_length=13)

    @field_validator("windows")
    @classmethod
    def _known(cls, windows: list[str]) -> list[str]:
        for window in windows:
            _known_window(window)
        return windows


class Retention(_Model):
    """How long minute panes and records are kept."""

    minutes: Duration = 48 * HOUR
    records: Duration = 400 * DAY

    @model_validator(mode="after")
    def _windows_fit(self) -> Self:
        if self.minutes < 25 * HOUR:
            msg = "minutes must be at least 25h: the 24h window is merged from minute panes"
            raise ValueError(msg)
        if self.records < 2 * DAY:
            msg = "records must be at least 2d"
            raise ValueError(msg)
        return self


WINDOW_NAMES = (
    "5m", "15m", "1h", "4h", "24h", "today", "yesterday", "week", "month", "quarter", "year", "7d", "30d",
)  # fmt: skip


PERIODS = ("today", "week", "month", "quarter", "year")
"""Windows that begin anew; the others roll on."""


def _known_window(window: str) -> None:
    if window not in WINDOW_NAMES:
        msg = f"{window!r} is not a window; there are {', '.join(WINDOW_NAMES)}"
        raise ValueError(msg)


def _wrong(reason: str, *path: str | int) -> PydanticCustomError:
    """An error about one entry because of what another says; `path` leads to its line."""
    return PydanticCustomError("reference", "{reason}", {"reason": reason, "path": path})


class Config(_Model):
    """The whole of `floorcast.yaml`."""

    organisation: Organisation
    connections: dict[Name, Connection] = Field(min_length=1)
    calendars: dict[Name, BusinessHours] = Field(default_factory=dict, max_length=200)
    teams: dict[Name, Team] = Field(default_factory=dict)
    reps: dict[str, Rep] = Field(default_factory=dict)
    lead_response: LeadResponse = LeadResponse()
    conversation: Conversation = Conversation()
    alerts: Alerts = Alerts()
    prometheus: PrometheusExport = PrometheusExport()
    currency_rates: dict[Currency, Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=9)]] = Field(
        default_factory=dict
    )
    retention: Retention = Retention()

    @model_validator(mode="after")
    def _references(self) -> Self:
        for team, entry in self.teams.items():
            if entry.calendar is not None and entry.calendar not in self.calendars:
                reason = f"there is no calendar {entry.calendar!r} under calendars"
                raise _wrong(reason, "teams", team, "calendar")
        self._check_reps()
        for index, rule in enumerate(self.lead_response.rules):
            if rule.clock == "business" and not any(team.calendar for team in self.teams.values()):
                reason = "business time needs a team with a calendar, and no entry of teams has one"
                raise _wrong(reason, "lead_response", "rules", index, "clock")
        for index, route in enumerate(self.alerts.routes):
            for channel in route.to:
                if channel not in self.alerts.channels:
                    reason = f"there is no channel {channel!r} under alerts.channels"
                    raise _wrong(reason, "alerts", "routes", index, "to")
        for name, threshold in self.alerts.thresholds.items():
            self._check_threshold(name, threshold)
        if self.organisation.currency in self.currency_rates:
            currency = self.organisation.currency
            reason = f"{currency} is the organisation's own currency"
            raise _wrong(reason, "currency_rates", currency)
        return self

    def _check_threshold(self, name: str, threshold: Threshold) -> None:
        # The catalogue reads its errors from here.
        from schemas.catalogue import begins_at_zero, shipped_catalogue  # noqa: PLC0415

        path = ("alerts", "thresholds", name)
        metric = shipped_catalogue().get(threshold.metric)
        if metric is None:
            reason = f"there is no metric {threshold.metric!r}; there are {', '.join(shipped_catalogue())}"
            raise _wrong(reason, *path, "metric")
        for team in threshold.teams or ():
            # A file without teams leaves them to the CRM.
            if self.teams and team not in self.teams:
                reason = f"there is no team {team!r} under teams"
                raise _wrong(reason, *path, "teams")
        if threshold.calendar is not None and threshold.calendar not in self.calendars:
            reason = f"there is no calendar {threshold.calendar!r} under calendars"
            raise _wrong(reason, *path, "calendar")
        unit, comparison, limit = metric.entry.unit, threshold.comparison, threshold.limit
        if unit == "ratio" and not 0 <= limit <= 1:
            reason = f"{threshold.metric} is a share between 0 and 1: write 0.2 for 20 %"
            raise _wrong(reason, *path, comparison)
        if unit not in {"money", "ratio"} and (limit < 0 or (limit == 0 and comparison != "above")):
            reason = f"{threshold.metric} is never less than 0"
            raise _wrong(reason, *path, comparison)
        is_zero_at_first = threshold.window in PERIODS and begins_at_zero(metric)
        if comparison == "below" and is_zero_at_first and threshold.at is None:
            reason = (
                f"{threshold.metric} begins at 0 with each {'day' if threshold.window == 'today' else threshold.window}"
                ", so it would be below at once: set at with window today, or use a window such as 1h or 7d"
            )
            raise _wrong(reason, *path, comparison)

    def _check_reps(self) -> None:
        for rep, entry in self.reps.items():
            if not 0 < len(rep) <= 256 or not rep.isprintable():
                reason = f"{rep!r} is not an id of 1 to 256 printable characters"
                raise _wrong(reason, "reps", rep)
            if entry.team is not None and entry.team not in self.teams:
                reason = f"there is no team {entry.team!r} under teams"
                raise _wrong(reason, "reps", rep, "team")
            for connection in entry.aliases:
                if connection not in self.connections:
                    reason = f"there is no connection {connection!r} under connections"
                    raise _wrong(reason, "reps", rep, "aliases", connection)
        seen: dict[str, str] = {}
        for alias, rep in self._alias_pairs():
            if seen.setdefault(alias, rep) != rep:
                reason = f"{alias!r} is already an alias of {seen[alias]!r}"
                raise _wrong(reason, "reps", rep, "aliases")

    def business_calendars(self) -> dict[str, BusinessCalendar]:
        """The calendars by name. Each remembers what it has worked out, so make them once per process."""
        return {name: entry.calendar() for name, entry in self.calendars.items()}

    def remarks(self) -> list[str]:
        """What is allowed but perhaps not meant, one line each, naming the field."""
        found = []
        if self.lead_response.needs_calendars:
            found += [
                f"teams.{team}.calendar: is not set, so rules of clock business run on elapsed time for this team"
                for team, entry in self.teams.items()
                if entry.calendar is None
            ]
        used = {entry.calendar for entry in self.teams.values()}
        used |= {entry.calendar for entry in self.alerts.thresholds.values()}
        found += [f"calendars.{name}: no team goes by it" for name in self.calendars if name not in used]
        found += [remark for name, entry in self.alerts.thresholds.items() for remark in self._remarks_on(name, entry)]
        for index, rule in enumerate(self.lead_response.rules[:-1]):
            if rule.when == RuleCondition():
                found.append(f"lead_response.rules.{index}: matches every lead, so no rule after it ever does")
                break
        return found

    def _remarks_on(self, name: str, threshold: Threshold) -> list[str]:
        field = f"alerts.thresholds.{name}"
        found = []
        routes, level = self.alerts.routes, threshold.level
        whose: list[str | None] = [None, *self.teams]
        if threshold.per == "organisation":
            whose = [None]
        elif threshold.teams is not None:
            whose = [*threshold.teams]
        if routes and not any(route.matches("metric_threshold", level, team) for route in routes for team in whose):
            found.append(f"{field}.level: no entry of alerts.routes takes {level} of these, so no channel is told")
        if threshold.comparison == "below" and threshold.window.endswith(("m", "h")) and threshold.during is None:
            found.append(f"{field}.during: is not set, so {threshold.window} without work at night is below too")
        if threshold.during is not None and threshold.calendar is None:
            found += [
                f"{field}.during: teams.{team}.calendar is not set, so this team is looked at day and night"
                for team, entry in self.teams.items()
                if entry.calendar is None and (threshold.teams is None or team in threshold.teams)
            ]
        return found

    def _alias_pairs(self) -> list[tuple[str, str]]:
        pairs = []
        for rep, entry in self.reps.items():
            for connection, ids in entry.aliases.items():
                namespace = self.connections[connection].namespace
                pairs += [(f"{namespace}:{person}" if namespace else person, rep) for person in ids]
        return pairs

    def aliases(self) -> dict[str, str]:
        """Person ids as records carry them -> the roster's id, which is the one served."""
        return {alias: rep for alias, rep in self._alias_pairs() if alias != rep}


_ENV = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")


def load_config(path: Path, environment: Mapping[str, str]) -> Config:
    """Read, fill in `${env:NAME}` and check. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: is not UTF-8 text"]) from None
    return parse_config(text, environment, str(path))


def parse_config(text: str, environment: Mapping[str, str], source: str = "floorcast.yaml") -> Config:
    """The configuration in `text`. Raises ConfigError with a line for each problem."""
    if len(text) > MAX_FILE:
        raise ConfigError([f"{source}: is larger than {MAX_FILE} bytes"])
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError([f"{source}:{line}: is not YAML: {error.problem}"]) from None
    except yaml.YAMLError as error:
        raise ConfigError([f"{source}: is not YAML: {error}"]) from None
    lines: dict[tuple[Any, ...], int] = {}
    _index_lines(node, (), lines)
    if not isinstance(data, dict):
        raise ConfigError([f"{source}:1: must be a mapping with organisation and connections"])
    missing: list[str] = []
    data = _substitute(data, environment, (), lines, source, missing)
    if missing:
        raise ConfigError(missing)
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError([_describe(problem, lines, source) for problem in error.errors()]) from None


def _index_lines(node: yaml.Node | None, path: tuple[Any, ...], lines: dict[tuple[Any, ...], int]) -> None:
    if node is None:
        return
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            lines[inner] = key.start_mark.line + 1
            _index_lines(value, inner, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _index_lines(value, (*path, index), lines)


def _substitute(
    value: Any,
    environment: Mapping[str, str],
    path: tuple[Any, ...],
    lines: Mapping[tuple[Any, ...], int],
    source: str,
    missing: list[str],
) -> Any:
    if isinstance(value, dict):
        return {
            str(key): _substitute(inner, environment, (*path, str(key)), lines, source, missing)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [
            _substitute(inner, environment, (*path, index), lines, source, missing) for index, inner in enumerate(value)
        ]
    if not isinstance(value, str):
        return value

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        if name not in environment:
            missing.append(f"{source}:{_line(path, lines)}: {_dotted(path)}: environment variable {name} is not set")
            return ""
        return environment[name]

    return _ENV.sub(fill, value)


def _line(path: tuple[Any, ...], lines: Mapping[tuple[Any, ...], int]) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _dotted(path: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in path)


def _describe(problem: Any, lines: Mapping[tuple[Any, ...], int], source: str) -> str:
    path = _path_of(problem, lines)
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message = "is not a setting here"
    elif problem["type"] == "missing":
        message = "is missing"
    where = f"{_dotted(path)}: " if path else ""
    return f"{source}:{_line(path, lines)}: {where}{message}"


def _path_of(problem: Any, lines: Mapping[tuple[Any, ...], int]) -> tuple[Any, ...]:
    """Where the problem stands in the file: without the marks that pydantic sets between (`[key]`, a kind, a type)."""
    written: tuple[Any, ...] = problem.get("ctx", {}).get("path", ())
    loc = written or tuple(part for part in problem["loc"] if part != "[key]")
    path: tuple[Any, ...] = ()
    for index, part in enumerate(loc):
        is_last = index == len(loc) - 1
        if (*path, part) in lines or (is_last and problem["type"] == "missing") or not lines:
            path = (*path, part)
    return path
