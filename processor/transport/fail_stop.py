"""The one way in which a worker, or whatever else lasts, ends itself when it must not go on.

Owns the exit codes and the end without a commit. Does not decide what is fatal, its callers do: who is fenced
(`owner.py`), a stage or its recovery that failed (`worker.py`, `recovery.py`, `batches.py`), a log that is not the one
that was read (`log_watch.py`), no progress (`processor/telemetry.py`, which ends without last words where even these
hang), what `processor/agents/` cannot do without, what nobody foresaw of all that last (`deploy/cli/keeping_log.py`). A
worker that is to begin anew, by `reload` or for another generation, ends in the ordinary way (processor/app.py).
"""

import asyncio
import logging
import os
import sys
import traceback
from collections.abc import Awaitable
from typing import NoReturn, Protocol

import structlog

from schemas.exit_codes import ExitCode
from schemas.kafka import Kafka
from schemas.kafka_refusals import missing_right
from schemas.refusals import tell_person

FENCED = ExitCode.OWNED_BY_ANOTHER
"""Exit code: another worker owns what this one wrote to. A supervisor starts it again at once."""

FAILED = ExitCode.UNEXPECTED
"""Exit code: anything unexpected."""

log = structlog.get_logger(__name__)


class InUse:
    """The Kafka of this process, which `die` names, and who we are there; None until `processor/app.py` knows it."""

    kafka: Kafka | None = None


class Die(Protocol):
    """Ends the process. Tests pass one that raises instead."""

    def __call__(self, code: int, why: str, *, error: BaseException | None = None) -> NoReturn: ...


async def or_die(work: Awaitable[object], what: str, die: "Die") -> None:
    """For a task that nobody awaits: what it fails of ends the process, as to stand still without a word is worse."""
    try:
        await work
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        die(FAILED, f"{what} failed: {error!r}", error=error)


def die(code: int, why: str, *, error: BaseException | None = None) -> NoReturn:
    """End the process now: no commit, no flush of producers, no atexit.

    Raising would not do: Faust acks the event in hand when an agent raises, and commits it on its way out (#315).
    What was acked before stays acked, what was not is delivered again. Where the error says that Kafka gives no right
    to something, the code is that of what cannot be reached, and the right is named.
    """
    right = missing_right(InUse.kafka, error)
    if right is not None:
        # Where it ended does not matter then, and starting again does not help before somebody gives the right.
        tell_person(f"floorcast: {right}")
        code, why, error = ExitCode.UNREACHABLE, right, None
    # The traceback is rendered here, without the values of local variables: those hold people's data.
    lines = traceback.format_exception(error) if error is not None else []
    log.critical("process.ended", code=code, why=why, traceback="".join(lines))
    sys.stdout.flush()
    sys.stderr.flush()
    logging.shutdown()
    os._exit(code)
