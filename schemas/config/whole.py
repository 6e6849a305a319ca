"""The whole of `floorcast.yaml`.

Owns what is in it, and what is allowed but perhaps not meant. What its parts say of each other is checked in
`references.py`. Does not read the file.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from schemas.calendars import BusinessCalendar
from schemas.catalogue import Catalogue
from schemas.catalogue.checking import business_durations
from schemas.catalogue.defined import RESPONSE_BAND, Defined, with_bands
from schemas.catalogue.reading import ReadDefinitions, shipped
from schemas.config.alerts import Alerts, Threshold
from schemas.config.conversation import Conversation
from schemas.config.currencies import CurrencyRates
from schemas.config.floor import BusinessHours, Organisation, Rep, Team
from schemas.config.goals import Fiscal, Goal
from schemas.config.kept import remarks_on_kept
from schemas.config.leads import LeadResponse, RuleCondition
from schemas.config.pipelines import Pipeline
from schemas.config.references import check_references
from schemas.config.screens import Digest, Origin, ScreenConfig
from schemas.config.windows import WindowName
from schemas.connectors import AnyConnection
from schemas.documents.values import Currency, DurationSetting, Model, Name, WholeNumber, ranging
from schemas.instants import DAY, HOUR
from schemas.naming import NameStyle, strictest


class TopReps(Model):
    """The reps who are first on a leaderboard."""

    top: WholeNumber = Field(ge=1, le=1000)
    """So many, in each window."""
    by: str
    """The metric of the leaderboard."""


class PrometheusExport(Model):
    """Which windows are exported, and of whom."""

    windows: list[WindowName] = Field(default=["today", "1h"], max_length=13)
    """Each series has the label `window` with one of these."""
    reps: Literal["all", "none"] | TopReps = "all"
    """Who has series: every rep, none, or those first on a leaderboard (`{top: 50, by: revenue_won}`).

    Where not all have, teams have series of their own, without the label `rep`.
    """


class Retention(Model):
    """How long minute panes and records are kept."""

    minutes: Annotated[
        DurationSetting,
        ranging("must be at least 25h: the 24h window is merged from minute panes", least=25 * HOUR),
    ] = 48 * HOUR
    """How long there are numbers by the minute, which windows such as `15m` are made of: at least `25h`."""
    records: Annotated[DurationSetting, ranging("must be at least 2d", least=2 * DAY)] = 400 * DAY
    """How long records, their days and raw deliveries are kept, at least `2d`; what has not ended never expires."""


PipelineName = Annotated[str, Field(min_length=1, max_length=256)]


class Config(Model):
    """The whole of `floorcast.yaml`."""

    organisation: Organisation
    connections: dict[Name, AnyConnection] = Field(min_length=1)
    """Who may send: CRMs, diallers and files, by the name that stands in the address of their webhooks."""
    calendars: dict[Name, BusinessHours] = Field(default_factory=dict, max_length=200)
    teams: dict[Name, Team] = Field(default_factory=dict)
    reps: dict[str, Rep] = Field(default_factory=dict)
    lead_response: LeadResponse = LeadResponse()
    conversation: Conversation = Conversation()
    alerts: Alerts = Alerts()
    prometheus: PrometheusExport = PrometheusExport()
    currency_rates: dict[Currency, CurrencyRates] = Field(default_factory=dict)
    """What a unit is worth in the organisation's currency: a number, or several since days, of which that of the day of
    a record's instant holds."""
    cors: list[Origin] = Field(default_factory=list, max_length=100)
    """Sites whose pages may ask the api, with a key of their own."""
    retention: Retention = Retention()
    pipelines: dict[PipelineName, Pipeline] = Field(default_factory=dict, max_length=50)
    """The stages of deals, by the id of the pipeline as the CRM sends it; deals that name none are in the first."""
    fiscal: Fiscal = Fiscal()
    goals: dict[Name, Goal] = Field(default_factory=dict, max_length=100)
    """What is to be reached, by the name of the goal."""
    screens: dict[Name, ScreenConfig] = Field(default_factory=dict, max_length=100)
    """What hangs on the walls, by the name in its address. None: the screen `floor`, as its address asks for it."""
    frame_ancestors: list[Origin] = Field(default_factory=list, max_length=50)
    """Sites whose pages may hold any screen in a frame."""
    digest: Digest | None = None
    """When which channels are told the day in one message."""
    metrics: Annotated[str, Field(min_length=1)] | None = None
    """File of your own metrics; `metrics.yaml` beside this one unless said, where there is one."""
    _defined: Defined = PrivateAttr(default_factory=shipped)

    @model_validator(mode="after")
    def _references(self, info: ValidationInfo) -> Self:
        read: ReadDefinitions | None = info.context
        if read is not None:
            self._defined = read.defined
        bands = self.lead_response.response_bands
        shipped_bands = shipped().dimensions.get(RESPONSE_BAND)
        if bands is not None and shipped_bands == self._defined.dimensions.get(RESPONSE_BAND):
            self._defined = with_bands(self._defined, bands)
        check_references(self, read)
        for name, connection in self.connections.items():
            people = (id for rep in self.reps.values() for id in rep.aliases.get(name, ()))
            connection.knows(people, self.organisation.zone)
        return self

    @property
    def defined(self) -> Defined:
        """What `metrics.yaml` defines, on top of what is shipped."""
        return self._defined

    @property
    def catalogue(self) -> Catalogue:
        """All metrics that are served, by name."""
        return self._defined.metrics

    def says_the_same(self, other: "Config") -> bool:
        """Whether both files say the same: to begin anew by the other would change nothing."""
        ours, theirs = self.defined, other.defined
        return self.model_dump() == other.model_dump() and (
            (ours.metrics, ours.dimensions, ours.cold_sources, ours.quiet_after)
            == (theirs.metrics, theirs.dimensions, theirs.cold_sources, theirs.quiet_after)
        )

    def names_told(self, channel: str) -> NameStyle:
        """How a channel may be told of people: as it says itself, else as the strictest of the screens."""
        said = self.alerts.channels[channel].names
        return said if said is not None else strictest(screen.privacy.names for screen in self.screens.values())

    @property
    def screen_names(self) -> list[str]:
        """Every screen that has an address."""
        return [*self.screens] or ["floor"]

    @property
    def channel_language(self) -> str:
        """In which channels are told of alerts and of the day."""
        if self.digest is not None and self.digest.language is not None:
            return self.digest.language
        return next((screen.language for screen in self.screens.values()), "en")

    def stage_names(self) -> dict[str, str]:
        """Stage of deals -> what the connections call it."""
        return {
            stage: name for connection in self.connections.values() for stage, name in connection.stage_names().items()
        }

    def business_calendars(self) -> dict[str, BusinessCalendar]:
        """The calendars by name. Each remembers what it has worked out, so make them once per process."""
        return {name: entry.calendar() for name, entry in self.calendars.items()}

    def remarks(self) -> list[str]:
        """What is allowed but perhaps not meant, one line each, naming the field."""
        found = []
        if self.lead_response.needs_calendars and self.organisation.calendar is None:
            found += [
                f"teams.{team}.calendar: is not set, so rules of clock business run on elapsed time for this team"
                for team, entry in self.teams.items()
                if entry.calendar is None
            ]
        found += self.connection_remarks()
        for name, connection in self.connections.items():
            currency = connection.currency
            if currency is not None and currency not in {self.organisation.currency, *self.currency_rates}:
                found.append(f"connections.{name}.currency: there is no rate for {currency} under currency_rates")
        used = {self.organisation.calendar, *(entry.calendar for entry in self.teams.values())}
        used |= {entry.calendar for entry in self.alerts.thresholds.values()}
        found += [f"calendars.{name}: no team goes by it" for name in self.calendars if name not in used]
        found += [remark for name, entry in self.alerts.thresholds.items() for remark in self._remarks_on(name, entry)]
        found += [remark for name, goal in self.goals.items() for remark in self._remarks_on_goal(name, goal)]
        for name, screen in self.screens.items():
            found += [f"screens.{name}.{setting}: {why}" for setting, why in screen.remarks(self.goals).items()]
        if self.organisation.calendar is None:
            found += [
                f"metrics.{name}.clock: is business, and organisation.calendar is not set, so it goes by elapsed time"
                for name in business_durations(self.catalogue)
            ]
        found += remarks_on_kept(self)
        for index, rule in enumerate(self.lead_response.rules[:-1]):
            if rule.when == RuleCondition():
                found.append(f"lead_response.rules.{index}: matches every lead, so no rule after it ever does")
                break
        return found

    def connection_remarks(self) -> list[str]:
        """What is allowed of a connection and not advised, likewise: whoever starts floorcast is told each time."""
        return [
            f"connections.{name}.{setting}: {why}"
            for name, connection in self.connections.items()
            for setting, why in connection.remarks().items()
        ]

    def _remarks_on(self, name: str, threshold: Threshold) -> list[str]:
        field = f"alerts.thresholds.{name}"
        found = []
        if self.catalogue[threshold.metric].unit == "ratio" and not 0 <= threshold.limit <= 1:
            found.append(
                f"{field}.{threshold.comparison}: {threshold.metric} is a share, of which 1 is the whole: 20 % is 0.2"
            )
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
        if threshold.during is not None and threshold.calendar is None and self.organisation.calendar is None:
            found += [
                f"{field}.during: teams.{team}.calendar is not set, so this team is looked at day and night"
                for team, entry in self.teams.items()
                if entry.calendar is None and (threshold.teams is None or team in threshold.teams)
            ]
        return found

    def _remarks_on_goal(self, name: str, goal: Goal) -> list[str]:
        field = f"goals.{name}"
        found = []
        if not goal.amounts:
            found.append(f"{field}.amounts: are none, so only records of kind goal say how much it is")
        if goal.period.startswith("fiscal") and "year_starts" not in self.fiscal.model_fields_set:
            found.append(f"{field}.period: fiscal.year_starts is not set, so the fiscal year is the calendar's")
        found += [
            f"{field}.amounts.{index}.rep: {amount.rep!r} is not in reps; it holds once a record names this person"
            for index, amount in enumerate(goal.amounts)
            if amount.rep is not None and amount.rep not in self.reps
        ]
        return found

    def aliases(self) -> dict[str, str]:
        """Person ids as records carry them -> the roster's id, which is the one served."""
        named = (
            (self.connections[connection].served_id(person), rep)
            for rep, entry in self.reps.items()
            for connection, ids in entry.aliases.items()
            for person in ids
        )
        return {alias: rep for alias, rep in named if alias != rep}
