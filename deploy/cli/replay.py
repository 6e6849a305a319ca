"""`floorcast replay`: everything derived is made anew from the log, and then served.

Owns the progress bar, what is said and the exit code. The work is processor/replay/.
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

from deploy.local.up import Target
from processor.replay.hand import WriteRefusedError
from processor.replay.hands import ReplayError, Say
from processor.replay.replay import replay, words
from processor.transport.administration import KafkaError, TopicsError
from processor.transport.following import MissingTopicError
from schemas.config import ConfigError, load_config

NOTHING_CHANGED = 1
WRONG_USE = 2
UNREACHABLE = 3


def main(target: Target, *, since: int | None, partitions: int | None, data: Path) -> int:
    """Replay; 0 once the new generation is served, else what was served before still is."""
    try:
        config = load_config(target.config, os.environ)
        with _progress_bar() as say:
            outcome = asyncio.run(
                replay(
                    bootstrap=target.broker,
                    prefix=target.prefix,
                    config=config,
                    config_file=target.config,
                    folder=data / "replay",
                    since=since,
                    partitions=partitions,
                    say=say,
                )
            )
    except (ConfigError, TopicsError) as error:
        return _fail("\n".join(error.problems), WRONG_USE)
    except (ReplayError, WriteRefusedError) as error:
        return _fail(f"{error}; what is served has not changed", NOTHING_CHANGED)
    except (KafkaError, OSError, TimeoutError, MissingTopicError) as error:
        what = str(error) if isinstance(error, MissingTopicError) else type(error).__name__
        return _fail(f"Kafka at {target.broker} does not do what it is asked for: {what}", UNREACHABLE)
    except KeyboardInterrupt:
        return _fail("stopped; what is served has not changed", NOTHING_CHANGED)
    print(words(outcome))  # noqa: T201 - the command's output
    return 0


@contextmanager
def _progress_bar() -> Iterator[Say]:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with ProgressBar(*columns, console=Console(stderr=True)) as bar:
        shown: list[tuple[str, TaskID]] = []

        def say(step: str, done: int, total: int) -> None:
            if done == 0 or not shown:
                shown.append((step, bar.add_task(step, total=max(total, 1))))
            bar.update(shown[-1][1], completed=done if total else 1, total=max(total, 1))

        yield say


def _fail(problem: str, code: int) -> int:
    for line in problem.splitlines():
        print(f"floorcast replay: {line}", file=sys.stderr)  # noqa: T201 - the command's output
    return code
