"""Which settings of a topic floorcast cannot work with, and which keep it less safely than a cluster could.

Owns the words. What topics are made with is schemas/topics.py's; asked for by apis (api/read/log_check.py) and by
whoever checks topics (processor/transport/administration.py). Pure.
"""

from collections.abc import Mapping

from schemas.topics import MAX_MESSAGE, Topic

POLICY = "cleanup.policy"
LARGEST = "max.message.bytes"
MIN_INSYNC = "min.insync.replicas"
LOOKED_AT = (POLICY, LARGEST, MIN_INSYNC)
"""All that is judged here."""
SEVERAL = 3
"""From so many brokers on a topic should have more than one copy."""

TopicSettings = Mapping[str, str | None]


def unusable(name: str, topic: Topic, held: TopicSettings) -> list[str]:
    """Settings by which numbers go wrong: what is deleted that has to stay, or refused that has to be taken."""
    found = []
    policy = "compact" if topic.compacted else "delete"
    if held.get(POLICY) != policy:
        found.append(f"topic {name}: {POLICY} is {held.get(POLICY)}, wanted {policy}")
    size = held.get(LARGEST)
    if size is not None and int(size) < MAX_MESSAGE:
        found.append(f"topic {name}: {LARGEST} is {size}, wanted {MAX_MESSAGE} (floorcast topics --alter sets it)")
    return found


def remark(name: str, copies: int, held: TopicSettings, brokers: int) -> str | None:
    """What a cluster of several brokers could do better, if it could."""
    if brokers < SEVERAL:
        return None
    if copies < 2:
        return f"topic {name}: has one copy on a cluster of {brokers}: what its broker loses is lost"
    if held.get(MIN_INSYNC) == "1":
        return (
            f"topic {name}: {MIN_INSYNC} is 1 on a cluster of {brokers}: what one broker alone has acknowledged is "
            "lost with it"
        )
    return None
