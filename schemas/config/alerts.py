"""Who is told of what, by which channel, and when not; and the limits of metrics.

Owns channels, routes, quiet hours and thresholds as they are written. Does not tell anybody.
"""

import re
from decimal import Decimal
from hashlib import sha256
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator, model_validator

from schemas.config.windows import WindowName
from schemas.connectors.standard_webhooks import SigningSecret
from schemas.documents.values import DurationSetting, Model, Name, Number, TimeZone
from schemas.instants import HOUR
from schemas.naming import NameStyle

AlertLevel = Literal["warn", "breach", "escalate"]


_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class QuietHours(Model):
    """When a channel is left in peace, every day; what comes then is told when they end, if it is still so."""

    hours: str
    """Such as `20:00-07:00`."""
    timezone: TimeZone
    """Of these hours."""
    let_through: list[AlertLevel] = Field(default_factory=list)
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


class _ChannelSettings(Model):
    names: NameStyle | None = None
    """What it is told of people, as `privacy.names` of screens. Left out: the strictest of the screens, else `full`."""


def _port_of(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:
        raise ValueError("the port is not one") from None


class _HttpSettings(_ChannelSettings):
    allow_private: bool = False
    """Whether it may lead into a private network or to this machine."""
    url: SecretStr
    """Some services know their callers by the address alone, so it is kept like a secret."""
    quiet: QuietHours | None = None

    @field_validator("url")
    @classmethod
    def _web_address(cls, url: SecretStr, info: ValidationInfo) -> SecretStr:
        text = url.get_secret_value()
        if not re.fullmatch(r"https?://[^\s/@?#]+(:\d+)?([/?][^\s#]*)?", text):
            msg = "must be an http or https address without user name and fragment"
            raise ValueError(msg)
        port = _port_of(text)
        if info.data.get("allow_private", True):
            return url
        if not text.startswith("https:"):
            msg = "must be https (allow_private: true permits http inside your own network)"
            raise ValueError(msg)
        if port is not None and port != 443 and port < 1024:
            msg = f"port {port} belongs to another service (allow_private: true permits it)"
            raise ValueError(msg)
        return url


class WebhookSettings(_HttpSettings):
    """Alerts as JSON to any address, signed as Standard Webhooks if there is a secret."""

    kind: Literal["webhook"]
    secret: SigningSecret | None = None
    """By which posts are signed as Standard Webhooks; left out: they are not."""


class SlackSettings(_HttpSettings):
    """A Slack incoming webhook."""

    kind: Literal["slack"]


class TeamsSettings(_HttpSettings):
    """A Microsoft Teams workflow that takes posts."""

    kind: Literal["teams"]


class AlertmanagerSettings(_HttpSettings):
    """Prometheus Alertmanager: its address without `/api/v2/alerts`."""

    kind: Literal["alertmanager"]
    secret: SecretStr | None = Field(default=None, min_length=1)
    """Bearer token, where a proxy asks for one."""


MailAddress = Annotated[str, Field(max_length=320, pattern=r"^[^@\s<>,]+@[^@\s<>,]+$")]


class EmailSettings(_ChannelSettings):
    """Mail by an SMTP server."""

    kind: Literal["email"]
    url: str = Field(pattern=r"^smtps?://[^\s/@?#:]+(:\d{1,5})?/?$")
    """`smtps://host:465` (TLS from the start) or `smtp://host:587` (STARTTLS where the server offers it)."""

    @field_validator("url")
    @classmethod
    def _has_port(cls, url: str) -> str:
        _port_of(url)
        return url

    username: str | None = Field(default=None, min_length=1, max_length=320)
    """The login, where the server asks for one."""
    secret: SecretStr | None = Field(default=None, min_length=1)
    """The password of `username`."""
    sender: MailAddress
    """The address it comes from."""
    recipients: list[MailAddress] = Field(min_length=1, max_length=50)
    """The addresses it goes to, all in one mail."""
    allow_private: bool = False
    """Whether the server may lie in a private network or be this machine."""
    quiet: QuietHours | None = None

    @model_validator(mode="after")
    def _whole_login(self) -> Self:
        if (self.username is None) != (self.secret is None):
            raise ValueError("username and secret belong together")
        return self


ChannelSettings = Annotated[
    WebhookSettings | SlackSettings | TeamsSettings | EmailSettings | AlertmanagerSettings, Field(discriminator="kind")
]


AlertKind = Literal["lead_response", "metric_threshold", "goal", "connection"]


class AlertRoute(Model):
    """Which alerts go where."""

    kinds: list[AlertKind] | None = Field(default=None, min_length=1)
    """Of leads, of metrics, of goals, of connections that miss changes. None: all."""
    levels: list[AlertLevel] | None = Field(default=None, min_length=1)
    """None: all."""
    teams: list[str] | None = Field(default=None, min_length=1)
    """None: all, and leads of nobody's team and numbers of the organisation too."""
    to: list[Name] = Field(min_length=1)
    """Names of `channels`."""

    def matches(self, kind: str, level: str, team: str | None) -> bool:
        """Whether alerts of that kind and level, about that team, go this way."""
        return (
            (self.kinds is None or kind in self.kinds)
            and (self.levels is None or level in self.levels)
            and (self.teams is None or team in self.teams)
        )


def time_of_day(value: Any) -> Any:
    """`11:00`, as it is written."""
    if not isinstance(value, str) or re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value, re.ASCII) is None:
        raise ValueError('must be a time of day such as "11:00"')
    return value


Comparison = Literal["below", "above", "reaches"]


class Threshold(Model):
    """A limit that a metric must not cross, or one that is good to reach. One of `below`, `above`, `reaches`."""

    metric: str
    """One of [the metrics](metrics.md)."""
    per: Literal["rep", "team", "organisation"]
    """Whose numbers: those of each active person of the roster, of each team that has one, or all together."""
    teams: list[str] | None = Field(default=None, min_length=1)
    """Only these teams, or reps of these teams."""
    window: WindowName = "today"
    """Any window but `yesterday`. In `today`, `week`, `month`, `quarter` and `year` an alert is told once a period."""
    below: Number | None = None
    """Raised while the metric is less. Money is written in the organisation's currency."""
    above: Number | None = None
    """Raised while it is more."""
    reaches: Number | None = None
    """A milestone: raised once it is as much or more."""
    at: Annotated[str, BeforeValidator(time_of_day)] | None = None
    """With window `today`: looked at from this time on, such as `"11:00"`, on working days only, both by `calendar`."""
    during: Literal["business hours"] | None = None
    """Looked at only while `calendar` says that people work."""
    calendar: Name | None = None
    """One of `calendars`. None: that of the team, else `organisation.calendar`.

    Where these are missing too, every day is a working day in the organisation's zone.
    """
    level: AlertLevel = "warn"
    """How grave it is: for routes, quiet hours and the wallboard."""

    @field_validator("window")
    @classmethod
    def _crossable(cls, window: str) -> str:
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
            raise ValueError("teams goes with per rep or per team")
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


class Alerts(Model):
    """Who is told of leads that wait too long, and of metrics that cross a limit."""

    channels: dict[Name, ChannelSettings] = Field(default_factory=dict, max_length=50)
    """Where messages go, by a name of yours."""
    routes: list[AlertRoute] = Field(default_factory=list, max_length=200)
    """Every one that matches holds; none given: everything to all channels."""
    thresholds: dict[Name, Threshold] = Field(default_factory=dict, max_length=100)
    quiet_after: DurationSetting = HOUR
    """What is first told later than this after its instant sends no message of its own: each channel gets one summary.

    It is listed and counted like everything else. What a replay brings, or a changed definition, sends nothing.
    """

    def channels_for(self, level: str, team: str | None, kind: str = "lead_response") -> list[str]:
        """The names of the channels that such an alert goes to: those of every route that matches, each once.

        Where there are no routes, everything goes to all channels.
        """
        if not self.routes:
            return list(self.channels)
        matching = [route for route in self.routes if route.matches(kind, level, team)]
        return list(dict.fromkeys(name for route in matching for name in route.to))
