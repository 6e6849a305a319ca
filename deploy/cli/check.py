"""`floorcast check`: whether `floorcast.yaml` and `metrics.yaml` are right, and whether examples come out."""

from collections.abc import Iterator
from pathlib import Path

import typer

from deploy.catalogue.trial import Trial
from deploy.cli.common import checked_config, fail, group, say, settings_of
from deploy.cli.flags import ConfigFlag
from schemas.catalogue.reading import SHIPPED, shipped
from schemas.config import Config
from schemas.config.reading import metrics_path
from schemas.documents.text import read_document
from schemas.exit_codes import ExitCode

app = group()


@app.command()
def check(config: ConfigFlag = None) -> None:
    """Check floorcast.yaml and metrics.yaml, and run the examples of all metrics.

    Each problem is named by file, line and field.
    """
    settings = settings_of(config=config)
    found = checked_config(settings.config)
    path = metrics_path(settings.config, found.metrics)
    wrong = list(_wrong_examples(found, path))
    if wrong:
        fail(wrong, ExitCode.WRONG_USE)
    for remark in found.remarks():
        say(f"{settings.config}: {remark}")
    typer.echo(f"{settings.config} is right")
    if path.exists():
        typer.echo(f"{path} is right")


def _wrong_examples(config: Config, path: Path) -> Iterator[str]:
    currency = config.organisation.currency
    own = [name for name in config.catalogue if name in config.defined.own]
    if own:
        document = read_document(path.read_text("utf-8"), str(path))
        for wrong in Trial(config.defined, currency).wrong(own):
            yield document.problem(("metrics", wrong.metric, *wrong.place), wrong.reason)
    # What is shipped is right by itself: a metric that was put in the place of a part of it is the user's.
    for wrong in Trial(shipped(), currency).wrong(shipped().metrics):
        yield f"{SHIPPED} (shipped): metrics.{wrong.metric}.{'.'.join(map(str, wrong.place))}: {wrong.reason}"
