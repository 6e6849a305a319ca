"""`floorcast verify`: the recount, once or again and again."""

from collections.abc import Sequence
from typing import Annotated

import typer

from deploy.cli.common import checked_config, fail, group, target_of, with_settings
from deploy.cli.flags import KeyFlag, UrlFlag
from deploy.cli.keeping_log import KeepsLog
from deploy.settings import Settings, verification_interval
from deploy.verification.verifier import main as run_verifier
from deploy.verification.verify import main as run_verify
from schemas.exit_codes import ExitCode

app = group()


class _Verify(KeepsLog):
    """One recount is told to a person; who recounts again and again keeps a log."""

    def keeps_log(self, words: Sequence[str]) -> bool:
        return any(word == "--every" or word.startswith("--every=") for word in words)


@app.command(cls=_Verify)
@with_settings()
def verify(
    settings: Settings,
    *,
    url: UrlFlag = None,
    key: KeyFlag = None,
    every: Annotated[
        str | None,
        typer.Option(
            metavar="5m",
            help="Recount the newest part of the log again and again, and publish what is found. [default: once, all]",
        ),
    ] = None,
) -> None:
    """Recount everything from the log and compare it with what is served; exit 1 if anything differs.

    Without an up that runs on --data, --url, --broker and --config say what to compare. With --every it goes on until
    it is ended: what it finds is served by the api, exported to Prometheus and shown on the wallboard.
    """
    interval = None if every is None else _interval(every)
    target = target_of(settings, url)
    config = checked_config(target.config)
    if interval is not None:
        raise typer.Exit(run_verifier(target, key or None, every=interval, folder=settings.data / "verify"))
    raise typer.Exit(run_verify(target, config, key or None))


def _interval(text: str) -> int:
    try:
        interval = verification_interval(text)
    except ValueError as error:
        fail([f"--every: {error}"], ExitCode.WRONG_USE)
    if interval is None:
        fail(["--every: must be a duration such as 5m"], ExitCode.WRONG_USE)
    return interval
