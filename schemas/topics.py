"""The topic catalogue: every topic by name, what it holds, how it is kept.

Owns names, cleanup policies and sizes. Creates nothing (processor/transport/administration.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
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


DELIVERIES = Topic("deliveries", "raw bytes, the immutable log", "none", "Delivery", compacted=False, derived=False)
DEAD_LETTERS = Topic(
    "dead-letters", "what nobody could read, with the reason", "delivery", "DeadLetter", compacted=False, derived=False
)
LATE = Topic(
    "late", "changes to what is older than what is kept", "record", "LateChange", compacted=False, derived=False
)
RECORD_CHANGES = Topic(
    "record-changes", "frames of changes, by record", "none", "ChangeFrame",
    compacted=False, derived=True, retention=7 * DAY,
)  # fmt: skip
ENGAGEMENTS = Topic(
    "engagements", "frames of touches, leads and mails, by group", "none", "EngagementFrame",
    compacted=False, derived=True, retention=7 * DAY,
)  # fmt: skip
LEDGER = Topic("ledger", "records: the truth that panes are derived from", "record", "Record", True, True)
GROUPS = Topic("groups", "leads and threads with what touched them", "group and record", "Record", True, True)
PANES = Topic("panes", "partial aggregates", "origin|rep|window", "Pane", compacted=True, derived=True)
ROSTER = Topic(
    "roster",
    "reps, with the history of their teams; absences; amounts of goals",
    "record",
    "Record",
    compacted=True,
    derived=True,
)
DEALS = Topic("deals", "open and won deals, as lists show them", "record", "DealCard", compacted=True, derived=True)
LEAD_CLOCKS = Topic("lead-clocks", "the first clock of each lead", "lead", "LeadClock", compacted=True, derived=True)
ALERTS = Topic("alerts", "leads that waited too long", "alert", "Alert", compacted=True, derived=True)
THRESHOLD_ALERTS = Topic(
    "threshold-alerts", "metrics that crossed a limit; days and wins that were told", "alert", "Alert",
    compacted=True, derived=True,
)  # fmt: skip
NOTIFICATIONS = Topic(
    "notifications", "what each channel is to be told", "none", "AlertFrame",
    compacted=False, derived=True, retention=7 * DAY,
)  # fmt: skip
OUTBOX = Topic("outbox", "what is not told yet", "channel and alert", "Outgoing", compacted=True, derived=True)
ALERT_ACTIONS = Topic(
    "alert-actions", "what people did about alerts", "none", "AlertAction", compacted=False, derived=False
)
ACKNOWLEDGEMENTS = Topic(
    "acknowledgements",
    "what was done about each alert",
    "partition|alert",
    "Acknowledgement",
    compacted=True,
    derived=True,
    spread="log",
)
PROGRESS = Topic(
    "progress", "what each stage has done", "stage|partition", "Progress", compacted=True, derived=True, spread="both"
)
GENERATIONS = Topic(
    "generations", "which generation is served", "none but one", "Served", compacted=True, derived=False, spread="one"
)
VERIFICATIONS = Topic(
    "verifications", "what the continuous recount found", "none but one", "Verification",
    compacted=True, derived=False, spread="one",
)  # fmt: skip
ACCESS = Topic(
    "access", "devices, pairing codes, and what devices are to do", "kind|id", "Code, Device, Heartbeat, Command",
    compacted=True, derived=False, spread="one",
)  # fmt: skip
CONNECTION_STATES = Topic(
    "connection-states", "how far look-ups and reconciliation are", "connection", "ConnectionState",
    compacted=True, derived=False, spread="one",
)  # fmt: skip
STREAM_POSITIONS = Topic(
    "stream-positions", "how far streams of a CRM's events are", "connection|channel", "StreamPosition",
    compacted=True, derived=False, spread="one",
)  # fmt: skip

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
