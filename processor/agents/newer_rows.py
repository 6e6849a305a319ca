"""An older worker writes nothing over what a newer one has made: what it does not know it would take for damage."""

from processor.transport.fail_stop import die
from schemas.definitions import ROWS
from schemas.exit_codes import ExitCode
from schemas.log_marks import REPLAY
from schemas.progress import Progress


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
    return was < ROWS
