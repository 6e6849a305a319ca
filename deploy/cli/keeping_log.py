"""What a command that lasts says is its log: JSON on stderr, also where it refuses to begin.

Owns how such a command begins, and that its log has a last line. One that is called wrongly shows its usage to a person
alone.
"""

import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand

from deploy.cli.common import fail
from schemas.exit_codes import ExitCode

_KEEPS_LOG = "floorcast.keeps_log"


class KeepsLog(TyperCommand):
    """The log begins once the flags are understood, or with what is wrong with them, and its last line says the end."""

    def keeps_log(self, words: Sequence[str]) -> bool:
        """Tell whether it lasts, called with these words."""
        return True

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        from typer._click.exceptions import UsageError  # noqa: PLC0415 - what is not called needs none of it

        lasts = self.keeps_log(args)
        try:
            context = super().make_context(info_name, args, parent, **extra)
        except UsageError as error:
            if not lasts or sys.stderr.isatty():
                raise
            _begin_log()
            fail([error.format_message()], ExitCode.WRONG_USE)
        context.meta[_KEEPS_LOG] = lasts
        return context

    def invoke(self, ctx: Any) -> Any:
        if not ctx.meta[_KEEPS_LOG]:
            return super().invoke(ctx)
        from typer._click.exceptions import ClickException  # noqa: PLC0415

        from processor.told_to_end import end_when_told, say_told  # noqa: PLC0415 - what only shows help needs none

        _begin_log()
        end_when_told()  # until it has a way of its own, if it needs one
        try:
            return super().invoke(ctx)
        except typer.Exit as ended:
            if not ended.exit_code:  # with any other the log says already why
                say_told()
            raise
        except (ClickException, typer.Abort):
            raise
        except Exception as error:  # noqa: BLE001 - it is the last line, whatever it was
            from processor.transport.fail_stop import FAILED, die  # noqa: PLC0415

            die(FAILED, f"unexpected: {error!r}", error=error)


def _begin_log() -> None:
    from processor.logs import configure_logging  # noqa: PLC0415

    configure_logging()
