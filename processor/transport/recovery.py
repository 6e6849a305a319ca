"""Faust's rebalance, bent so that shards are loaded after an assignment and before anything is delivered.

Owns the order of things in a rebalance. Does not own what loading means: `shards` does. Faust's tables are not used
at all.

Private names used, all in faust-streaming 0.15.3: `Recovery._resume_streams`, `._wait`; `TableManager._recovery`,
`._update_channels`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.types import TP

from processor.transport.fail_stop import FAILED, Die


class AssigningApp(Protocol):
    """What the recovery needs of the app."""

    die: Die
    on_assigned: Callable[[set[TP]], Awaitable[None]]


class ShardRecovery(Recovery):
    """Faust says when; the app's `on_assigned` drops, proves and loads."""

    async def _resume_streams(self, generation_id: int = 0) -> None:
        consumer = self.app.consumer
        # Faust resumes the source partitions before it seeks to what is committed. What is fetched in between is
        # delivered, then thrown away, and taken for acked: events are lost at a clean restart (#596). So nothing
        # flows until after the seek.
        consumer.stop_flow()
        await self._wait(self._assign({TP(*tp) for tp in consumer.assignment()}))
        await super()._resume_streams(generation_id)  # seeks, then resumes the flow

    async def _assign(self, assigned: set[TP]) -> None:
        app = cast(AssigningApp, self.app)
        try:
            await app.on_assigned(assigned)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():  # a newer rebalance, or the end
                raise
            # Somebody's own cancellation: let out, it would end this service silently and the worker would idle in
            # the group.
            app.die(FAILED, "loading shards was cancelled from within", error=error)
        except BaseException as error:
            app.die(FAILED, f"loading shards failed: {error!r}", error=error)


class ShardTableManager(TableManager):
    """Starts a `ShardRecovery` in place of Faust's."""

    async def on_start(self) -> None:
        # As in Faust, without its fixed sleep of 1.0 s.
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()

    @property
    def recovery(self) -> Recovery:
        if self._recovery is None:
            self._recovery = ShardRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery
