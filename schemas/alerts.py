"""Alerts: leads that wait too long, metrics that crossed a limit, what goes to the channels, what people do about it.

Owns the shapes and their encodings. Does not decide what is raised (processor/core/alerts.py, thresholds.py), nor where
it goes.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from schemas.frames import partition_of
from schemas.instants import format_instant
from schemas.leads import LeadClock
from schemas.notices import Notice

LEVELS = ("warn", "breach", "escalate")

SUMMARY = "summary"
SILENT = "silent"
"""How little channels are told of an alert."""

LATE_AFTER = 2_000_000
"""Raised so much later than its instant (microseconds), an alert is marked late."""

LATENESS_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 60.0, 600.0, 3600.0, 86400.0)
"""Edges of the histogram of how much later than due alerts were raised."""

MAX_EVENTS = 1_000
"""Alerts in one frame: well below a megabyte."""


LEAD_RESPONSE = "lead_response"
METRIC_THRESHOLD = "metric_threshold"
GOAL = "goal"
CONNECTION = "connection"
DIGEST = "digest"
WIN = "win"

TOLD_ONLY = frozenset({DIGEST, WIN})
"""Kinds that channels are told of and nobody lists: they are no alerts, and go the same way."""


class Crossing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a metric did, of whose alert it is. Numbers as they are served: money as decimal text.

    Of a connection: its name as `threshold`, and the share of records that no webhook brought as values.
    Of a goal: its name as `threshold`, its period as `window`, a milestone as `limit`, and attainments as values.
    """

    threshold: str
    """Its name in the configuration."""
    per: str
    """Whose number it is: `rep`, `team` or `organisation`."""
    metric: str
    window: str
    comparison: str
    """`below`, `above` or `reaches`."""
    limit: int | float | str
    value: int | float | str | None
    """When it was raised; of a resolved one when it was resolved, None where there is no number any more."""
    at: str | None = None
    """The time of day from which it counts."""
    is_over: bool = False
    """Resolved because its time is over or nobody looks any more, not because the number is another."""
    currency: str | None = None
    """Of money."""
    label: str | None = None
    """What people call the metric; None: by its name."""
    unit: str = "count"
    """Of the metric: messages write a share in per cent, and seconds as hours and minutes."""
    until: int | None = None
    """Of a goal: when its period ends (microseconds)."""


class Called(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one channel calls those whom an alert is about, by its `names`."""

    lead: str | None
    """As the CRM calls the person or company; None: not at all, or not here."""
    rep: str | None
    team: str | None
    rep_id: str | None
    """What is told for the rep's id."""
    id: str
    """And for the alert's: those of metrics hold a person's id."""


class Alert(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One level of one lead's clock that was reached without an answer, or a limit that a metric has crossed.

    Instants in microseconds.
    """

    id: str
    kind: str
    """`lead_response`, `metric_threshold`, `goal`, `connection`; or one of `TOLD_ONLY`."""
    level: str
    lead: str | None
    """None for metrics."""
    rep: str | None
    """The lead's owner, or whose number it is, and the team; of a resolved one as they were last."""
    team: str | None
    started_at: int
    due_at: int
    """The instant of this level, or of the crossing."""
    raised_at: int
    resolved_at: int | None = None
    is_late: bool = False
    """Raised noticeably later than due: nobody was there to do it, or the lead was heard of only then."""
    turn: int = 1
    """Raised is 1, resolved 2; taken back because the answer was taken back 3; and so on."""
    crossing: Crossing | None = None
    quiet: str = ""
    """`summary`: first told long after its instant, so channels hear of it in a summary alone; `silent`: not at all."""
    told_teams: tuple[str | None, ...] = ()
    """Teams that the lead was in while it was open, before this one: their channels have heard of it too."""
    is_owed: bool = False
    """Resolved because a change of the configuration moved its instant: channels still take it for open."""
    called: Called | None = None
    """On its way to a channel."""
    notice: Notice | None = None
    """Of what is told only: the message itself."""
    request: str = ""
    """`x-request-id` of the webhook that told last of the lead before this; empty: unknown, or none did."""

    @property
    def subject(self) -> str:
        """What is snoozed with it: the lead, or this limit for the same rep, team or organisation."""
        if self.crossing is None:
            return self.lead or ""
        whose = {"rep": self.rep, "team": self.team}.get(self.crossing.per)
        return f"{self.kind}:{self.crossing.threshold}:{self.crossing.per}:{whose or ''}"

    @property
    def cared_for(self) -> str:
        """What is acknowledged with it: the lead. Of a metric only this crossing: tomorrow's is another matter."""
        return self.subject if self.crossing is None else self.id

    @property
    def is_open(self) -> bool:
        """Whether the lead still waits, or the metric is still beyond the limit."""
        return self.resolved_at is None

    @property
    def event(self) -> str:
        """What the newest turn was: `raised`, `resolved`, `reopened`."""
        if self.turn == 1:
            return "raised"
        return "reopened" if self.is_open else "resolved"

    def resolved(self, now: int) -> "Alert":
        """The same, no longer waiting."""
        return msgspec.structs.replace(self, resolved_at=now, turn=self.turn + 1, is_owed=False)

    def reopened(self) -> "Alert":
        """The same, waiting again: the answer was deleted or corrected away."""
        return msgspec.structs.replace(self, resolved_at=None, turn=self.turn + 1, is_owed=False)


class AlertFrame(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one channel has to be told. Everything for a channel lies in one partition, in order."""

    channel: str
    alerts: list[Alert] = []
    """Each as it was after its newest turn."""
    silences: list["Silence"] = []


class Silence(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Nobody is to be told that a lead waits, until then."""

    lead: str
    """Or what else an alert's `subject` or `cared_for` is."""
    until: int
    is_acknowledged: bool
    """What was to be told meanwhile is not told afterwards either: somebody knows."""


class WaitingTurn(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One turn that a channel has to be told."""

    alert: Alert
    since: int


class ChannelAlert(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one channel knows of one alert, and what it has to be told yet; of a quiet one in a summary."""

    known: int = 0
    """The newest turn taken in."""
    told: Alert | None = None
    """As the channel knows it, if it believes that the lead waits."""
    waiting: tuple[WaitingTurn, ...] = ()
    """In the order of their turns."""
    is_summed: bool = False
    """Told in a summary, so no turn of it is told any more."""


class AlertAction(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What somebody did about an alert, through REST."""

    alert: str
    lead: str
    """Or what else is snoozed or cared for with the alert."""
    at: int
    by: str | None
    """Id of the API key."""
    snoozed_until: int | None = None
    """None: it was acknowledged."""


class Acknowledgement(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What was done about an alert, all of it."""

    acknowledged_at: int | None = None
    acknowledged_by: str | None = None
    snoozed_until: int | None = None

    def after(self, action: AlertAction) -> "Acknowledgement":
        """Fold an action in: the first acknowledgement counts, and the snooze that lasts longest."""
        if action.snoozed_until is not None:
            return joined_acknowledgements((self, Acknowledgement(snoozed_until=action.snoozed_until)))
        return joined_acknowledgements((self, Acknowledgement(action.at, action.by)))


def crossing_fields(alert: Alert) -> dict[str, Any]:
    """What is said of a metric's, a goal's or a connection's alert beside what all say; nothing of a lead's."""
    crossing = alert.crossing
    if crossing is None:
        return {}
    if alert.kind == CONNECTION:
        return {"connection": crossing.threshold, "missed_share": crossing.value}
    if alert.kind == GOAL:
        until = None if crossing.until is None else format_instant(crossing.until)
        return {
            "goal": crossing.threshold,
            "milestone": crossing.limit,
            "attainment": crossing.value,
            "per": crossing.per,
            "period": {"name": crossing.window, "from": format_instant(alert.started_at), "to": until},
            "metric": crossing.metric,
            "over": crossing.is_over,
        }
    return {
        "threshold": crossing.threshold,
        "per": crossing.per,
        "metric": crossing.metric,
        "window": crossing.window,
        "comparison": crossing.comparison,
        "limit": crossing.limit,
        "value": crossing.value,
        "at": crossing.at,
        "currency": crossing.currency,
        "over": crossing.is_over,
    }


def joined_acknowledgements(parts: Iterable[Acknowledgement]) -> Acknowledgement:
    """What several origins know of one alert, in one."""
    firsts: list[tuple[int, str]] = []
    snoozes: list[int] = []
    for part in parts:
        if part.acknowledged_at is not None:
            firsts.append((part.acknowledged_at, part.acknowledged_by or ""))
        if part.snoozed_until is not None:
            snoozes.append(part.snoozed_until)
    at, by = min(firsts, default=(None, ""))
    return Acknowledgement(at, by or None, max(snoozes, default=None))


class LevelReached(NamedTuple):
    """When a clock reaches a level."""

    level: str
    at: int


def alert_id(lead: str, level: str, start: int, due_at: int) -> str:
    """The same across restarts: a clock that starts, or reaches the level, at another instant is another matter."""
    return f"{lead}:{level}:{start}:{due_at}"


def acknowledgement_key(partition: int, alert: str) -> bytes:
    """`partition|alert`: actions about one alert may come in by several partitions, and a reader joins them."""
    return f"{partition}|{alert}".encode()


def read_acknowledgement_key(key: bytes) -> tuple[str, str]:
    """(partition, alert)."""
    partition, _, alert = key.decode().partition("|")
    return partition, alert


def channel_partition(channel: str, partitions: int) -> int:
    """Where a channel lives: one worker tells it everything, so bursts can be grouped and turns keep their order."""
    return partition_of(f"channel:{channel}", partitions)


def instants_of(clock: LeadClock) -> tuple[LevelReached, ...]:
    """The levels that a clock reaches before anybody has decided on the lead or touched it, in order."""
    if not clock.is_undecided or clock.due_at is None:
        return ()
    instants = (("warn", clock.warn_at), ("breach", clock.due_at), ("escalate", clock.escalate_at))
    until = clock.answered_at
    return tuple(LevelReached(level, at) for level, at in instants if at is not None and (until is None or at < until))


_QUIET = b"quiet\0"


def quiet_key(lead: str) -> bytes:
    """Key, among the rows of `groups`, of the instants of a lead that were first told long after them."""
    return _QUIET + lead.encode()


def read_quiet_key(key: bytes) -> str | None:
    """The lead; None where the key is another one's."""
    return key[len(_QUIET) :].decode() if key.startswith(_QUIET) else None


def alert_frames(channel: str, alerts: Sequence[Alert]) -> Iterator[bytes]:
    """Frames of these alerts, in order."""
    for first in range(0, len(alerts), MAX_EVENTS):
        yield encode_frame(AlertFrame(channel, list(alerts[first : first + MAX_EVENTS])))


encode_quiet = msgspec.msgpack.Encoder().encode
decode_quiet = msgspec.msgpack.Decoder(tuple[int, ...]).decode
encode_frame = msgspec.msgpack.Encoder().encode
decode_frame = msgspec.msgpack.Decoder(AlertFrame).decode
encode_outgoing = msgspec.msgpack.Encoder().encode
decode_outgoing = msgspec.msgpack.Decoder(ChannelAlert).decode
encode_silence = msgspec.msgpack.Encoder().encode
decode_silence = msgspec.msgpack.Decoder(Silence).decode
encode_alert = msgspec.msgpack.Encoder().encode
decode_alert = msgspec.msgpack.Decoder(Alert).decode
encode_action = msgspec.msgpack.Encoder().encode
decode_action = msgspec.msgpack.Decoder(AlertAction).decode
encode_acknowledgement = msgspec.msgpack.Encoder().encode
decode_acknowledgement = msgspec.msgpack.Decoder(Acknowledgement).decode
