"""What a replay does with dead letters: it adds those that nobody has found before it, and touches no other.

Owns which those are. The hands find them; they are written with the handover, so a replay that fails leaves none.
"""

from processor.replay.hand import ReplayWork
from processor.replay.spool import Spool
from processor.transport.following import read_through
from processor.transport.packing import KeyAndValue
from schemas.dead_letters import decode_dead_letter
from schemas.kafka import Address
from schemas.log_marks import Place
from schemas.topics import DEAD_LETTERS


async def known_letters(bootstrap: Address, prefix: str) -> set[bytes]:
    """Ids of all dead letters there are."""
    known: set[bytes] = set()
    await read_through(
        bootstrap,
        DEAD_LETTERS.full_name(prefix),
        lambda _, records: known.update(record.key for record in records if record.key is not None),
    )
    return known


def new_letters(work: ReplayWork, known: set[bytes]) -> dict[Place, list[KeyAndValue]]:
    """The letters that this replay has found and nobody before it."""
    found: dict[Place, list[KeyAndValue]] = {}
    spool = Spool(work.spool, work.hands)
    for partition in range(work.made.log_partitions):
        messages: list[KeyAndValue] = [
            (id, raw)
            for raw in spool.take("letters", partition)
            if (id := decode_dead_letter(raw).id.encode()) not in known
        ]
        if messages:
            found[work.topic(DEAD_LETTERS), partition] = messages
    return found
