"""`floorcast.yaml` as typed values: connections, roster, teams, SLA rules, alerts, retention.

Owns the shape, defaults and checks of the configuration, and errors that name file, line and field. Reads no
environment by itself and opens no file but the one it is given.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
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


class Team(_Model):
    """A team of the roster."""

    name: str | None = Field(default=None, max_length=200)


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


class SlaRule(_Model):
    """How fast a lead has to be answered."""

    when: RuleCondition = RuleCondition()
    sla: Duration
    clock: Literal["elapsed"] = "elapsed"

    def matches(self, source: str | None) -> bool:
        """Whether this is the rule for a lead of that source."""
        wanted = self.when.source
        return wanted is None or source in ([wanted] if isinstance(wanted, str) else wanted)


class LeadResponse(_Model):
    """When a lead's clock starts, what stops it, and how long it may run."""

    start: Literal["received", "assigned"] = "received"
    stop: Literal["attempt", "contact", "qualified"] = "attempt"
    automated: Literal["exclude", "include"] = "exclude"
    warn_at: float = Field(default=0.75, gt=0, lt=1)
    escalate_after: Duration = 2 * HOUR
    rules: list[SlaRule] = Field(default_factory=list)

    def sla(self, source: str | None) -> int:
        """Microseconds that a lead of that source may wait: the first rule that matches, else one hour."""
        return next((rule.sla for rule in self.rules if rule.matches(source)), HOUR)


class Conversation(_Model):
    """What makes a call a conversation."""

    min_talk: Duration = MINUTE


class PrometheusExport(_Model):
    """Which windows are exported per rep and team."""

    windows: list[str] = Field(default=["today", "1h"], max_length=13)

    @field_validator("windows")
    @classmethod
    def _known(cls, windows: list[str]) -> list[str]:
        for window in windows:
            if window not in WINDOW_NAMES:
                msg = f"{window!r} is not a window; there are {', '.join(WINDOW_NAMES)}"
                raise ValueError(msg)
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


class Config(_Model):
    """The whole of `floorcast.yaml`."""

    organisation: Organisation
    connections: dict[Name, Connection] = Field(min_length=1)
    teams: dict[Name, Team] = Field(default_factory=dict)
    reps: dict[str, Rep] = Field(default_factory=dict)
    lead_response: LeadResponse = LeadResponse()
    conversation: Conversation = Conversation()
    prometheus: PrometheusExport = PrometheusExport()
    currency_rates: dict[Currency, Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=9)]] = Field(
        default_factory=dict
    )
    retention: Retention = Retention()

    @model_validator(mode="after")
    def _references(self) -> Self:
        seen: dict[str, str] = {}
        for rep, entry in self.reps.items():
            if not 0 < len(rep) <= 256 or not rep.isprintable():
                msg = f"reps: {rep!r} is not an id of 1 to 256 printable characters"
                raise ValueError(msg)
            if entry.team is not None and entry.team not in self.teams:
                msg = f"reps.{rep}.team: there is no team {entry.team!r} under teams"
                raise ValueError(msg)
            for connection in entry.aliases:
                if connection not in self.connections:
                    msg = f"reps.{rep}.aliases: there is no connection {connection!r} under connections"
                    raise ValueError(msg)
        for alias, rep in self._alias_pairs():
            if seen.setdefault(alias, rep) != rep:
                msg = f"reps.{rep}.aliases: {alias!r} is already an alias of {seen[alias]!r}"
                raise ValueError(msg)
        if self.organisation.currency in self.currency_rates:
            msg = f"currency_rates: {self.organisation.currency} is the organisation's own currency"
            raise ValueError(msg)
        return self

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
    path = tuple(part for part in problem["loc"] if part != "[key]")
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message = "is not a setting here"
    elif problem["type"] == "missing":
        message = "is missing"
    where = f"{_dotted(path)}: " if path else ""
    return f"{source}:{_line(path, lines)}: {where}{message}"
