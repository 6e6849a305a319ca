"""Which topic each part of a stage's output goes to: the one place, for the live stages and for a replay.

The stages write what these give as soon as a batch is folded; a replay keeps of each key the newest value and writes
once. The order of writing is whose who write.
"""

from collections.abc import Iterable, Mapping, Sequence

from processor.core.outputs import GroupsOutput, LedgerOutput
from processor.transport.fetched import Fetched
from processor.transport.packing import KeyAndValue
from schemas.alerts import Alert, encode_alert
from schemas.frames import QUIET, Engagement, by_group, engagement_frames
from schemas.topics import DEALS, GROUPS, LEAD_CLOCKS, LEDGER, PANES, ROSTER, Topic

LEDGER_TOPICS = (LEDGER, PANES, ROSTER, DEALS)
"""What `ledger_messages` may name."""
GROUP_TOPICS = (GROUPS, PANES, LEAD_CLOCKS)
"""What `group_messages` may name."""


def ledger_messages(output: LedgerOutput) -> Mapping[Topic, Sequence[KeyAndValue]]:
    """What a ledger has changed."""
    return {PANES: output.panes, LEDGER: output.rows, ROSTER: output.roster, DEALS: output.deals}


def group_messages(output: GroupsOutput) -> Mapping[Topic, Sequence[KeyAndValue]]:
    """What groups have changed."""
    return {GROUPS: output.rows, PANES: output.panes, LEAD_CLOCKS: output.clocks}


def frames_of_engagements(
    engagements: Iterable[Engagement], partitions: int, *, newest_at: int, oldest_at: int
) -> dict[int, list[bytes]]:
    """Frames for the partitions where the groups live that the engagements name."""
    return {
        partition: list(engagement_frames(mine, newest_at, oldest_at))
        for partition, mine in by_group(engagements, partitions).items()
    }


def by_loudness(records: Sequence[Fetched]) -> list[tuple[bool, Sequence[Fetched]]]:
    """(is_quiet, records): the frames that webhooks caused, and the others. Neither is empty."""
    quiet = [record for record in records if record.key == QUIET]
    if not quiet:
        return [(False, records)]
    loud = [record for record in records if record.key != QUIET]
    return [*([(False, loud)] if loud else []), (True, quiet)]


def alert_rows(alerts: Iterable[Alert]) -> list[KeyAndValue]:
    """The rows of alerts."""
    return [(alert.id.encode(), encode_alert(alert)) for alert in alerts]
