"""Stage acknowledge: what people did about alerts comes in; what was done about each goes out, and channels go silent.

Owns the fold of actions, and how long it is kept. Whether an alert exists is not its business: the api asks that before
it takes an action.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from processor.agents.restoring import Published
from processor.agents.stage import Deployment, StageShard
from processor.core.retention import RetentionCutoff
from processor.transport.fetched import Fetched
from processor.transport.packing import KeyAndValue
from schemas.alerts import (
    Acknowledgement,
    AlertAction,
    AlertFrame,
    Silence,
    acknowledgement_key,
    channel_partition,
    decode_acknowledgement,
    decode_action,
    encode_acknowledgement,
    encode_frame,
    read_acknowledgement_key,
)
from schemas.instants import DAY
from schemas.topics import ACKNOWLEDGEMENTS, ALERT_ACTIONS, NOTIFICATIONS, Topic

SILENCE = 30 * DAY
"""After an acknowledgement; by then the lead has been answered, or everybody knows."""


class AcknowledgeShard(StageShard):
    """One partition of `alert-actions`."""

    stage: ClassVar[str] = "acknowledge"
    source: ClassVar[Topic] = ALERT_ACTIONS
    owned: ClassVar[Sequence[Topic]] = (ACKNOWLEDGEMENTS,)

    def __init__(self, partition: int, deployment: Deployment, *, channels: Iterable[str]) -> None:
        super().__init__(partition, deployment)
        self._channels = tuple(channels)
        self._cutoff = RetentionCutoff(deployment.definitions.calendar, deployment.definitions.records_kept)
        self._held: dict[str, Acknowledgement] = {}

    async def load(self) -> None:
        """Read back what was done."""
        await self.restore(await self.recover())

    async def restore(self, published: Published) -> None:
        """Put back what was done."""
        await self.write({ACKNOWLEDGEMENTS: await self.put_back(published, ACKNOWLEDGEMENTS, self._restore)})

    def _restore(self, key: bytes, row: bytes) -> None:
        self._held[read_acknowledgement_key(key)[1]] = decode_acknowledgement(row)

    async def process(self, records: list[Fetched]) -> None:
        """Fold, silence, write, and only then call the batch done."""
        actions = await self.decoded(records, decode_action)
        await self._silence(actions)
        for action in actions:
            self._held[action.alert] = self._held.get(action.alert, Acknowledgement()).after(action)
        changed = dict.fromkeys(action.alert for action in actions)
        rows: list[KeyAndValue] = [
            (acknowledgement_key(self.partition, id), encode_acknowledgement(self._held[id])) for id in changed
        ]
        await self.write({ACKNOWLEDGEMENTS: rows + self._forget(actions)})
        self.finish(records)

    def _forget(self, actions: Sequence[AlertAction]) -> list[KeyAndValue]:
        """Let go what was done longer ago than records are kept, when the day of the newest action has changed."""
        self.progress.log_at = max([self.progress.log_at, *(action.at for action in actions)])
        if not self._cutoff.advance(self.progress.log_at):
            return []
        kept_from = self._cutoff.starts_at
        old = [
            id for id, held in self._held.items() if max(held.acknowledged_at or 0, held.snoozed_until or 0) < kept_from
        ]
        for id in old:
            del self._held[id]
        return [(acknowledgement_key(self.partition, id), None) for id in old]

    async def _silence(self, actions: Sequence[AlertAction]) -> None:
        silences = [
            Silence(action.lead, action.at + SILENCE, is_acknowledged=True)
            if action.snoozed_until is None
            else Silence(action.lead, action.snoozed_until, is_acknowledged=False)
            for action in actions
        ]
        frames: dict[tuple[str, int], list[KeyAndValue]] = {}
        if silences:
            for channel in self._channels:
                place = self.deployment.topic(NOTIFICATIONS), channel_partition(channel, self.deployment.partitions)
                frames.setdefault(place, []).append((None, encode_frame(AlertFrame(channel, silences=silences))))
        if frames:
            await self.owner.send_to(frames)
