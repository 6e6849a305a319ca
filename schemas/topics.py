"""The topic catalogue: every topic by name, what it holds, how it is kept.

Owns names, cleanup policies and sizes. Creates nothing (processor/transport/administration.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from schemas.instants import DAY

MAX_MESSAGE = 2 * 1024 * 1024 + 64 * 1024
"""Bytes of one batch on the wire: messages have up to 2 MiB (a legal delivery is up to 1 MiB, plus headers)."""

FENCE = b"\0fence"
"""Key of the record that an owner writes into each of its partitions before it reads back; readers skip it."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of the catalogue."""

    name: str
    """Without prefix and generation."""
    holds: str
    key: str
    value: str
    compacted: bool
    derived: bool
    """Made from `deliveries`: its name carries the generation."""
    retention: int | None = None
    """Microseconds; None for compacted topics and for those kept as long as records are."""
    spread: Literal["own", "log", "both", "one"] = "own"
    """How many partitions it has: those of its kind (derived or not); of the log, though it is derived; the larger
    number of both; one."""

    def full_name(self, prefix: str, generation: int = 1) -> str:
        """As Kafka knows it; only names of derived topics carry the generation."""
        return f"{prefix}g{generation}.{self.name}" if self.derived else f"{prefix}{self.name}"

    def partitions(self, *, log: int, derived: int) -> int:
        """How many it has, where the topics that are not derived have `log` and most of the others `derived`."""
        match self.spread:
            case "one":
                return 1
            case "both":
                return max(log, derived)
            case "log":
                return log
            case "own":
                return derived if self.derived else log

    def settings(self, records_kept: int) -> Mapping[str, str]:
        """Topic configuration that floorcast relies on, as Kafka writes it."""
        common = {
            "max.message.bytes": str(MAX_MESSAGE),
            "message.timestamp.type": "CreateTime",
            # By default Kafka 4 refuses what is stamped an hour ahead of its own clock: a wrong clock somewhere must
            # lose nothing, and our messages carry the time of the delivery they came of.
            "message.timestamp.after.max.ms": str(2**63 - 1),
        }
        if self.compacted:
            return common | {
                "cleanup.policy": "compact",
                "min.cleanable.dirty.ratio": "0.2",
                "segment.ms": str(6 * 3600 * 1000),
                "delete.retention.ms": str(24 * 3600 * 1000),
            }
        kept = self.retention if self.retention is not None else records_kept
        return common | {"cleanup.policy": "delete", "retention.ms": str(kept // 1000), "retention.bytes": "-1"}


# How topics are kept: as long as records, as frames on their way, as the newest word of each key.
_kept = partial(Topic, compacted=False, derived=False)
_frames = partial(Topic, compacted=False, derived=True, retention=7 * DAY)
_state = partial(Topic, compacted=True, derived=True)
# The same of what few tell, and all read.
_told = partial(Topic, compacted=True, derived=False, spread="one")

DELIVERIES = _kept("deliveries", "raw bytes, the immutable log", "none", "Delivery")
DEAD_LETTERS = _kept("dead-letters", "what nobody could read, with the reason", "delivery", "DeadLetter")
LATE = _kept("late", "changes to what is older than what is kept", "record", "LateChange")
RECORD_CHANGES = _frames("record-changes", "frames of changes, by record", "none", "ChangeFrame")
ENGAGEMENTS = _frames("engagements", "frames of touches, leads and mails, by group", "none", "EngagementFrame")
LEDGER = _state("ledger", "records: the truth that panes are derived from", "record", "Record")
GROUPS = _state("groups", "leads and threads with what touched them", "group and record", "Record")
PANES = _state("panes", "partial aggregates", "origin|rep|window", "Pane")
ROSTER = _state("roster", "reps, with the history of their teams; absences; amounts of goals", "record", "Record")
DEALS = _state("deals", "open and won deals, as lists show them", "record", "DealCard")
LEAD_CLOCKS = _state("lead-clocks", "the first clock of each lead", "lead", "LeadClock")
ALERTS = _state("alerts", "leads that waited too long", "alert", "Alert")
THRESHOLD_ALERTS = _state(
    "threshold-alerts", "metrics that crossed a limit; days and wins that were told", "alert", "Alert"
)
NOTIFICATIONS = _frames("notifications", "what each channel is to be told", "none", "AlertFrame")
OUTBOX = _state("outbox", "what is not told yet", "channel and alert", "Outgoing")
ALERT_ACTIONS = _kept("alert-actions", "what people did about alerts", "none", "AlertAction")
ACKNOWLEDGEMENTS = _state(
    "acknowledgements", "what was done about each alert", "partition|alert", "Acknowledgement", spread="log"
)
PROGRESS = _state("progress", "what each stage has done", "stage|partition", "Progress", spread="both")
GENERATIONS = _told("generations", "which generation is served", "none but one", "Served")
VERIFICATIONS = _told("verifications", "what the continuous recount found", "none but one", "Verification")
ACCESS = _told(
    "access", "devices, pairing codes, and what devices are to do", "kind|id", "Code, Device, Heartbeat, Command"
)
CONNECTION_STATES = _told(
    "connection-states", "how far look-ups and reconciliation are", "connection", "ConnectionState"
)
STREAM_POSITIONS = _told(
    "stream-positions", "how far streams of a CRM's events are", "connection|channel", "StreamPosition"
)
TOPICS = (
    DELIVERIES, DEAD_LETTERS, LATE, RECORD_CHANGES, ENGAGEMENTS, LEDGER, GROUPS, PANES, ROSTER, DEALS, LEAD_CLOCKS,
    ALERTS, THRESHOLD_ALERTS, NOTIFICATIONS, OUTBOX, ALERT_ACTIONS, ACKNOWLEDGEMENTS, PROGRESS, VERIFICATIONS,
    CONNECTION_STATES, STREAM_POSITIONS, GENERATIONS, ACCESS,
)  # fmt: skip
VIEW_TOPICS = (
    PANES, ROSTER, DEALS, LEAD_CLOCKS, ALERTS, THRESHOLD_ALERTS, ACKNOWLEDGEMENTS, PROGRESS, VERIFICATIONS,
    CONNECTION_STATES,
    DEAD_LETTERS,
)  # fmt: skip
"""What the api's materialized view is made from."""
