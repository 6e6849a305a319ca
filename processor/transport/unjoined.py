"""How a worker that is still joining its group ends.

Owns that end. A join is answered when all others of the group have joined anew or are given up, and aiokafka 0.14.0
waits for it before it closes: a worker that was told to end meanwhile stayed for as long as a session lasts. Closed
without a word it would be waited for by the next one to join just as long.

Private names used, all of `GroupCoordinator`: `._closing`, `._coordination_task`, `._stop_heartbeat_task`,
`._stop_commit_offsets_refresh_task`, `._client`, `._group_instance_id`.
"""

import asyncio
from contextlib import suppress

import structlog
from aiokafka.client import ConnectionGroup
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import KafkaError
from aiokafka.protocol.group import LeaveGroupRequest

from schemas.kafka_clients import ends_quietly

JOIN_SECONDS = 1.0
"""For a join that is about to be answered: whoever has joined leaves in the usual way."""
LEAVE_SECONDS = 2.0

log = structlog.get_logger("kafka")


async def close_coordinator(coordinator: GroupCoordinator) -> None:
    """Close it, out of a join if it must be. Called once, on its loop, before its consumer is stopped."""
    closing = asyncio.ensure_future(ends_quietly(coordinator.close()))
    done, _ = await asyncio.wait([closing], timeout=JOIN_SECONDS)
    if done:
        closing.result()
        return
    coordinator._coordination_task.cancel()
    await closing
    await coordinator._stop_heartbeat_task()
    await coordinator._stop_commit_offsets_refresh_task()
    # A member with a name of its own is kept its place for, until it is back.
    if coordinator.member_id and coordinator._group_instance_id is None and coordinator.coordinator_id is not None:
        leaving = LeaveGroupRequest(coordinator.group_id, coordinator.member_id)
        with suppress(KafkaError, OSError, TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                # Kafka reads nothing more on the connection of a join that it has not answered.
                await coordinator._client.send(coordinator.coordinator_id, leaving, group=ConnectionGroup.DEFAULT)
    log.info("group.left_unjoined", group=coordinator.group_id)
