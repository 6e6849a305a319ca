"""An entry of `connections` in `floorcast.yaml`: what every kind of connection has.

Owns the settings that all have in common. Each kind adds its own, with their checks, in its own file.
"""

from collections.abc import Iterable
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, PrivateAttr, SecretStr

from schemas.documents.values import Currency, DurationSetting, Model, Name
from schemas.windows import Calendar

MIN_SECRET = 8


class CallMatch(Model):
    """When a call of this connection is one that another connection tells of too."""

    other: Name = Field(alias="with")
    """The connection whose call counts: the dialler's."""
    within: DurationSetting
    """How far apart the two may have been dialled at most."""


class Match(Model):
    """What another connection tells of too; it counts once."""

    calls: CallMatch


class Connection(Model):
    """A CRM that posts to `/webhooks/{name}`."""

    kind: str
    secrets: list[SecretStr] = Field(min_length=1, max_length=8)
    """What proves that a webhook is the CRM's; two while one is changed for the other. No other connection has them."""
    public_url: str | None = Field(default=None, pattern=r"^https?://[^/\s]+(/[^\s]*)?$")
    """Where the CRM thinks it posts: scheme, host and a path prefix if a proxy takes one away."""
    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,32}$")] = ""
    """Stands before its ids (`namespace:id`). Connections of the same one, or of none, speak of the same records."""
    currency: Currency | None = None
    """Of amounts beside which the CRM names none. [the organisation's]"""
    match: Match | None = None
    """Which of its calls are known from another connection already, and so count nowhere."""
    _people: frozenset[str] = PrivateAttr(frozenset())
    _zone: ZoneInfo = PrivateAttr(ZoneInfo("UTC"))

    @property
    def people(self) -> frozenset[str]:
        """The ids by which `aliases` of reps know people of this connection."""
        return self._people

    @property
    def calendar(self) -> Calendar:
        """The organisation's: days that a CRM names are days of it."""
        return Calendar(self._zone, 0)

    def knows(self, people: Iterable[str], zone: ZoneInfo) -> None:
        """Whoever has read the whole configuration says who they are, and which zone that is."""
        self._people, self._zone = frozenset(people), zone

    def served_id(self, id: str) -> str:
        """An id of its CRM as records carry it."""
        return f"{self.namespace}:{id}" if self.namespace else id

    def stage_names(self) -> dict[str, str]:
        """Stage of deals -> what this connection calls it."""
        return {}

    def remarks(self) -> dict[str, str]:
        """What is allowed but not advised: setting -> why. Told by `floorcast check`, and logged at a start."""
        return {}
