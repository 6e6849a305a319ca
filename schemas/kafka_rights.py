"""The least rights on a Kafka with which every process and command of floorcast does its work.

Owns the list that docs/reference/kafka-rights.md is made from and that the tests give to a user of a real Kafka, taking
one away after the other. Operations and resources are named as Kafka's own tools name them.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Right:
    """One right: an operation on whatever the prefix of floorcast's names begins, or on the cluster."""

    resource: Literal["Topic", "Group", "TransactionalId", "Cluster"]
    operation: str
    why: str

    def command(self, principal: str, prefix: str) -> str:
        """The words after `kafka-acls --add` that give it."""
        on = {
            "Topic": f"--topic {prefix} --resource-pattern-type prefixed",
            "Group": f"--group {prefix} --resource-pattern-type prefixed",
            "TransactionalId": f"--transactional-id {prefix} --resource-pattern-type prefixed",
            "Cluster": "--cluster",
        }[self.resource]
        return f"--allow-principal {principal} --operation {self.operation} {on}"


RIGHTS = (
    Right("Topic", "Read", "Workers, apis and `verify` read."),
    Right("Topic", "Write", "Apis write deliveries, workers all that is made of them."),
    Right("Topic", "Create", "`topics` makes them, `replay` those of a new generation."),
    Right("Topic", "DescribeConfigs", "Apis, a worker that starts, `topics` and `replay` compare how topics are set."),
    Right("Topic", "Alter", "`replay` adds partitions where somebody has added some to `deliveries`."),
    Right("Topic", "AlterConfigs", "`topics --alter` sets what differs, and `replay` before it hands over."),
    Right("Topic", "Delete", "`replay` deletes the generation before the last."),
    Right("Group", "Read", "Workers share partitions in consumer groups, and keep their place there."),
    Right("TransactionalId", "Write", "Who writes what is derived takes a name, so that whoever had it before cannot."),
    Right("Cluster", "Describe", "`topics` makes as many copies as there are brokers."),
    Right("Cluster", "IdempotentWrite", "Apis and workers write each batch exactly once."),
)
"""Reading, writing and altering imply describing, so that needs no right of its own."""
