"""An older worker takes nothing that a newer one has made for damage: it neither writes over it nor lets it go.

Owns how that is found out: by the form of rows that progress tells of, before the first of them is written.
"""

import msgspec
import structlog

from processor.transport.fail_stop import die
from processor.transport.fetched import Fetched
from processor.transport.following import read_through
from schemas.definitions import ROWS
from schemas.exit_codes import ExitCode
from schemas.kafka import Address
from schemas.log_marks import REPLAY
from schemas.progress import Progress, decode_progress

log = structlog.get_logger(__name__)


def refuse_newer_rows(progress: Progress, place: str) -> bool:
    """End the process where a newer version has written what was made of this place; else our form is told of it.

    Whether an older one was: ours has to be told before anything is written in it.
    """
    if progress.rows > ROWS:
        die(
            ExitCode.WRONG_USE,
            f"what was made of {place} was written by a newer version (form {progress.rows} of rows, this one knows "
            f"{ROWS}): run that one again; with this one {REPLAY}",
        )
    was, progress.rows = progress.rows, ROWS
    if 0 < was < ROWS:
        log.warning(
            "rows.newer_form",
            place=place,
            why=f"rows are written in form {ROWS} from now on, and were in form {was}: a worker of the version before "
            "that still runs would take what this one hands on for damage, so end it (docs/runbooks/upgrade.md)",
        )
    return was < ROWS


async def refuse_newer_messages(bootstrap: Address, progress_topic: str, unread: Fetched) -> None:
    """End the process where a message cannot be read because a newer version may have written it: it is no damage.

    `progress_topic`: where all workers say in which form they write. What they hand on comes later than that.
    """
    newest = 0

    def look(_partition: int, records: list[Fetched]) -> None:
        nonlocal newest
        for record in records:
            try:
                newest = max(newest, decode_progress(record.value or b"").rows)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue  # a fence, or what its owner finds out about

    await read_through(bootstrap, progress_topic, look)
    if newest > ROWS:
        die(
            ExitCode.WRONG_USE,
            f"a message of {unread.topic}[{unread.partition}] at {unread.offset} cannot be read, and a worker of a "
            f"newer version runs (form {newest} of rows, this one knows {ROWS}): run that one here too",
        )
