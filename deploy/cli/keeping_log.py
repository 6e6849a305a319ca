"""What a command that lasts says is its log: JSON on stderr, also where it refuses to begin.

Owns how such a command begins. One that is called wrongly shows its usage to a person alone.
"""

import sys
from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand

from deploy.cli.common import fail
from schemas.exit_codes import ExitCode


class KeepsLog(TyperCommand):
    """The log begins once the flags are understood, and with what is wrong where they are not."""

    def keeps_log(self, words: Sequence[str]) -> bool:
        """Tell whether it lasts, called with these words."""
        return True

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        if not self.keeps_log(args):
            return super().make_context(info_name, args, parent, **extra)
        from typer._click.exceptions import UsageError  # noqa: PLC0415 - what is not wrong needs none of it

        from processor.logs import configure_logging  # noqa: PLC0415

        try:
            context = super().make_context(info_name, args, parent, **extra)
        except UsageError as error:
            if sys.stderr.isatty():
                raise
            configure_logging()
            fail([error.format_message()], ExitCode.WRONG_USE)
        configure_logging()
        return context
