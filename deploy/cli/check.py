"""`floorcast check` and `reload`: whether both files are right, and whether the examples in them come out."""

import asyncio
import os
import signal
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from deploy.catalogue.trial import Trial
from deploy.catalogue.words import NOTHING, counts_nothing
from deploy.cli.common import checked_config, fail, group, say, say_unreadable, settings_of, with_settings
from deploy.cli.flags import ConfigFlag, DataFlag
from deploy.connections import read_progress
from deploy.local.ports import UpError
from deploy.local.target import Instance, find_running, find_target
from deploy.lookups.owner import read_states
from deploy.settings import Settings
from deploy.subscribing.online import look_online
from deploy.subscribing.rights import rights_of
from deploy.verification.definitions import of_file
from processor.transport.following import MissingTopicError
from schemas.catalogue.defined import Defined, bound_under
from schemas.catalogue.reading import SHIPPED, shipped
from schemas.catalogue.where import EntryError
from schemas.config import Config
from schemas.config.media_files import media_problems, media_remarks
from schemas.config.reading import metrics_path, sound_metrics
from schemas.config.rules import rules_of
from schemas.connection_states import ConnectionState, SubscriptionState
from schemas.connection_stats import connection_stats
from schemas.documents.text import Document, read_document
from schemas.exit_codes import ExitCode
from schemas.kafka_facts import KafkaError
from schemas.progress import Progress

app = group()


@app.command()
@with_settings()
def check(
    settings: Settings,
    *,
    online: Annotated[
        bool, typer.Option("--online", help="Ask each CRM too: token, subscriptions, limits, last delivery.")
    ] = False,
) -> None:
    """Check floorcast.yaml and metrics.yaml, and run the examples of all metrics.

    Each problem is named by file, line and field. With --online, exit 1: something is wrong at a CRM; 3: one cannot be
    reached.
    """
    found = checked_files(settings.config)
    path = metrics_path(settings.config, found.metrics)
    metrics = bound_under(found.defined, rules_of(found)).metrics
    idle = [f"metrics.{name}: {NOTHING}" for name in sorted(found.defined.own) if counts_nothing(metrics[name])]
    remarks = [*found.remarks(), *idle, *media_remarks(settings.config, found)]
    for remark in _placed(remarks, settings.config, path) if remarks else ():
        say(remark)
    typer.echo(f"{settings.config} is right")
    if path.exists():
        typer.echo(f"{path} is right")
    if online:
        raise typer.Exit(_online(found, settings))


def _placed(remarks: Iterable[str], config: Path, metrics: Path) -> Iterator[str]:
    """Remarks with the file and line of the field that each begins with."""
    documents = {path: read_document(path.read_text("utf-8"), str(path)) for path in (config, metrics) if path.exists()}
    for remark in remarks:
        field, _, reason = remark.partition(": ")
        place = tuple(int(part) if part.isdecimal() else part for part in field.split("."))
        yield documents[metrics if place[0] == "metrics" and metrics in documents else config].problem(place, reason)


def _online(config: Config, settings: Settings) -> int:
    deliveries, streams = _from_kafka(config, settings)
    code = 0
    for name, connection in config.connections.items():
        found = look_online(
            name,
            connection,
            last_delivery_at=deliveries.get(name),
            stream=streams.get(name),
            rights=rights_of,
        )
        for finding in found:
            typer.echo(f"connections.{name}: {'WRONG: ' if finding.is_wrong else ''}{finding.words}")
            if finding.is_wrong:
                code = max(code, int(ExitCode.UNREACHABLE if finding.is_away else ExitCode.DIFFERENCES))
    return code


def _from_kafka(config: Config, settings: Settings) -> tuple[dict[str, int], dict[str, SubscriptionState]]:
    """When each connection last delivered, and how their streams are, as far as a Kafka says so."""
    try:
        target = find_target(settings, None)
        progress, states = asyncio.run(_read(target))
    except (UpError, KafkaError, MissingTopicError, TimeoutError, OSError):
        say("no Kafka is reached, so nobody knows of deliveries and streams")
        return {}, {}
    found = connection_stats(config.connections, progress)
    deliveries = {stats.connection: stats.last_delivery_at for stats in found if stats.last_delivery_at is not None}
    return deliveries, {name: told.subscription for name, told in states.items() if told.subscription is not None}


async def _read(target: Instance) -> tuple[Mapping[tuple[str, int], Progress], Mapping[str, ConnectionState]]:
    return await read_progress(target), await read_states(target, say_unreadable)


@app.command()
def reload(*, config: ConfigFlag = None, data: DataFlag = None) -> None:
    """Let the up that runs on --data read floorcast.yaml and metrics.yaml again, if nothing in them is wrong.

    The old numbers are served until the new ones are whole. What `connections` and `cors` say takes effect when up is
    started again. Where api and workers run by themselves, send each of them SIGHUP.
    """
    settings = settings_of(Settings, config=config, data=data)
    running = find_running(settings.data)
    if running is None:
        fail([f"no floorcast up runs on {settings.data}: name its folder with --data"], ExitCode.WRONG_USE)
    if config is not None and config.resolve() != Path(running.config).resolve():
        reason = f"the floorcast up on {settings.data} goes by {running.config}: change that, or start it with another"
        fail([f"--config: {reason}"], ExitCode.WRONG_USE)
    checked_files(Path(running.config))
    os.kill(running.pid, signal.SIGHUP)
    typer.echo("worker and api read the files again; the old numbers are served until the new ones are whole")
    typer.echo("what connections and cors say takes effect when floorcast up is started again")


def checked_files(path: Path) -> Config:
    """The configuration, if all of both files is right and all examples come out. Ends the command otherwise."""
    try:
        found = checked_config(path)
    except typer.Exit:
        for line in _wrong_beside(path):
            say(line)
        raise
    wrong = [*media_problems(path, found), *_wrong_examples(found, path, metrics_path(path, found.metrics))]
    if wrong:
        fail(wrong, ExitCode.WRONG_USE)
    return found


def _wrong_examples(config: Config, config_file: Path, path: Path) -> Iterator[str]:
    currency = config.organisation.currency
    if config.defined.own:
        document = read_document(path.read_text("utf-8"), str(path))
        yield from _wrong_own(Trial(config.defined, currency, of_file(config_file)), config.defined, document)
    # What is shipped is right by itself: a metric that was put in the place of a part of it is the user's.
    for wrong in Trial(shipped(), currency).wrong(shipped().metrics):
        yield f"{SHIPPED} (shipped): metrics.{wrong.metric}.{'.'.join(map(str, wrong.place))}: {wrong.reason}"


def _wrong_beside(path: Path) -> list[str]:
    """The examples that do not come out of what is right in a metrics.yaml, where something else is wrong."""
    found = sound_metrics(path)
    if found is None:
        return []
    try:
        return [*_wrong_own(Trial(found.defined, found.currency), found.defined, found.document)]
    except (EntryError, ValidationError):
        return []  # nothing can be made of it yet


def _wrong_own(trial: Trial, defined: Defined, document: Document) -> Iterator[str]:
    for wrong in trial.wrong(name for name in defined.metrics if name in defined.own):
        yield document.problem(("metrics", wrong.metric, *wrong.place), wrong.reason)
