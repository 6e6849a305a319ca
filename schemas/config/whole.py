"""The whole of `floorcast.yaml`, and what its parts say of each other.

Owns those checks, their words, and what is allowed but perhaps not meant. Does not read the file.
"""

from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from schemas.calendars import BusinessCalendar
from schemas.config.alerts import Alerts, Threshold
from schemas.config.fields import PERIODS, Currency, Duration, Model, Name, known_window
from schemas.config.floor import BusinessHours, Connection, Organisation, Rep, Team
from schemas.config.leads import Conversation, LeadResponse, RuleCondition
from schemas.instants import DAY, HOUR


class PrometheusExport(Model):
    """Which windows are exported per rep and team."""

    windows: list[str] = Field(default=["today", "1h"], max_length=13)

    @field_validator("windows")
    @classmethod
    def _known(cls, windows: list[str]) -> list[str]:
        for window in windows:
            known_window(window)
        return windows


class Retention(Model):
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


def _wrong(reason: str, *path: str | int) -> PydanticCustomError:
    """An error about one entry because of what another says; `path` leads to its line."""
    return PydanticCustomError("reference", "{reason}", {"reason": reason, "path": path})


class Config(Model):
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
        # The catalogue imports this package, for the errors of reading.
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
        unit, comparison, limit = metric.unit, threshold.comparison, threshold.limit
        if unit == "ratio" and not 0 <= limit <= 1:
            reason = f"{threshold.metric} is a share between 0 and 1: write 0.2 for 20 %"
            raise _wrong(reason, *path, comparison)
        if unit not in {"money", "ratio"} and (limit < 0 or (limit == 0 and comparison != "above")):
            reason = f"{threshold.metric} is never less than 0"
            raise _wrong(reason, *path, comparison)
        is_zero_at_first = threshold.window in PERIODS and begins_at_zero(shipped_catalogue(), threshold.metric)
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
