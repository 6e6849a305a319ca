"""What `/readyz` waits for. All of it is listed here; each part says in a line what it still lacks.

webhooks are taken       the producer of write/ingest.py has reached Kafka and its topic; no acknowledgement is overdue
the view is whole        every topic of read/topics.py is applied up to where it ended when the process started
every stage has passed   normalise, ledger and responses have done what was in their topics then, and the view has what
                         they made of it (the steps: read/catch_up.py; walked by read/consumer.py)
the topics are those     none is missing, made anew, cut off or has other partitions (read/log_check.py)
keys and screens are      `access` is read up to where it ended when the process started (read/access.py)
nobody told it to end     for FLOORCAST_DRAIN_SECONDS after SIGTERM it serves on and is not ready (serving.py)

`/readyz?role=ingest` waits for the first alone, for the last, and for `deliveries` to be there. Once ready, only these
and the topics can take it back: numbers that grow old are told by their freshness.
"""

from collections.abc import Callable
from typing import Literal

from api.settings import Role


class Readiness:
    """Collects what is still missing, by the part of the api that misses it."""

    def __init__(self) -> None:
        self._checks: dict[str, list[Callable[[], list[str]]]] = {"ingest": [], "read": []}

    def add(self, part: Literal["ingest", "read"], check: Callable[[], list[str]]) -> None:
        """Let `check` say, at each question, what is missing: one line each, none when ready."""
        self._checks[part].append(check)

    def problems(self, role: Role) -> list[str]:
        """What is missing for `role`, each once; empty when ready."""
        parts = ("ingest", "read") if role == "all" else (role,)
        # A topic that both need is missed by both.
        return [*dict.fromkeys(line for part in parts for check in self._checks[part] for line in check())]
