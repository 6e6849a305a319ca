"""The least rights on a Kafka with which every process and command of floorcast does its work.

Owns the list that docs/reference/kafka-rights.md is made from and that the tests give to a user of a real Kafka, taking
one away after the other. Operations and resources are named as Kafka's own tools name them.
"""

from dataclasses import dataclass
from typing import Literal

TopicOperation = Literal["Read", "Write", "Create", "Alter", "AlterConfigs", "DescribeConfigs", "Delete"]


@dataclass(frozen=True, slots=True)
class Right:
    """One right: an operation on whatever the prefix of floorcast's names begins."""

    resource: Literal["Topic", "Group", "TransactionalId"]
    operation: str
    why: str

    def command(self, principal: str, prefix: str) -> str:
        """The words after `kafka-acls --add` that give it."""
        flag = {"Topic": "--topic", "Group": "--group", "TransactionalId": "--transactional-id"}[self.resource]
        on = f"{flag} {prefix} --resource-pattern-type prefixed"
        return f"--allow-principal {principal} --operation {self.operation} {on}"


RIGHTS = (
    Right("Topic", "Read", "Workers, apis and `verify` read."),
    Right("Topic", "Write", "Apis write deliveries, workers all that is made of them."),
    Right("Topic", "Create", "`topics` makes them, `replay` those of a new generation."),
    Right("Topic", "Alter", "`replay` adds partitions where somebody has added some to `deliveries`."),
    Right("Topic", "AlterConfigs", "`topics --alter` sets what differs; a worker that starts and `replay` look at it."),
    Right("Topic", "Delete", "`replay` deletes the generation before the last."),
    Right("Group", "Read", "Workers share partitions in consumer groups, and keep their place there."),
    Right("TransactionalId", "Write", "Who writes what is derived takes a name, so that whoever had it before cannot."),
)
"""Each one is needed. Reading, writing and altering imply describing, altering settings implies describing them, and
since Kafka 2.8 who may write to a topic may write idempotently: those need no rights of their own."""
