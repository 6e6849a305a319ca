"""From the text of `floorcast.yaml` to a `Config`, or to errors that name file, line and field.

Owns `${env:NAME}` in the text, and where the user's `metrics.yaml` lies. Reads no environment by itself and opens no
file but the one it is given and that one.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.catalogue.defined import Defined
from schemas.catalogue.reading import ReadDefinitions, read_metrics, shipped
from schemas.config.own_metrics import collisions, unknown_pipelines
from schemas.config.sound import misnamed
from schemas.config.whole import Config
from schemas.documents.errors import ConfigError
from schemas.documents.refused import refused
from schemas.documents.text import Document, DocumentPath, read_document

METRICS = "metrics.yaml"
"""The file of the user's own metrics, beside the configuration."""
_ENV = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")


def load_config(path: Path, environment: Mapping[str, str]) -> Config:
    """Read both files, fill in `${env:NAME}` and check. Raises ConfigError with all that is wrong in either."""
    text = _text(path)
    if isinstance(text, str):
        return parse_config(text, environment, str(path), folder=path.parent)
    raise ConfigError([text.problem])


def parse_config(
    text: str, environment: Mapping[str, str], source: str = "floorcast.yaml", *, folder: Path | None = None
) -> Config:
    """The configuration in `text`. Raises ConfigError with a line for each problem, in the order of the file.

    `folder`: where `metrics.yaml` may lie; without one nothing but what is shipped is defined.
    """
    document = read_document(text, source)
    if not isinstance(document.value, dict):
        raise ConfigError([document.problem((), "must be a mapping with organisation and connections")])
    missing: dict[DocumentPath, str] = {}
    data = _filled(document.value, environment, (), missing)
    problems = [(path, f"environment variable {name} is not set") for path, name in missing.items()]
    metrics = None if folder is None else _metrics_of(data.get("metrics"), folder)
    if isinstance(metrics, _Unread):
        problems.append((("metrics",), metrics.problem))
        metrics = ReadDefinitions(shipped(), [], is_readable=False)
    told_of_metrics = [] if metrics is None else [*metrics.problems, *_pipelines_of(metrics, data)]
    try:
        config = Config.model_validate(data, context=metrics)
    except ValidationError as error:
        refusals = error.errors(include_url=False)
        problems += [found for problem in refusals for found in _found(problem, document) if found[0] not in missing]
        problems += misnamed(data, refusals, lambda rest: Config.model_validate(rest, context=metrics))
    else:
        if not problems and not told_of_metrics:
            if metrics is not None and metrics.document is not None:
                told_of_metrics = [metrics.document.problem(*found) for found in collisions(config)]
            if not told_of_metrics:
                return config
    problems.sort(key=lambda found: document.line(found[0]))  # of one line in the order in which they were found
    told = list(dict.fromkeys(document.problem(path, reason) for path, reason in problems))
    raise ConfigError([*told, *told_of_metrics])


def _pipelines_of(metrics: ReadDefinitions, data: Mapping[str, Any]) -> Iterator[str]:
    """Funnels of pipelines that there are not, whatever else is wrong in either file."""
    pipelines = data.get("pipelines")
    if metrics.document is not None and isinstance(pipelines, dict | None):
        for found in unknown_pipelines(metrics.defined, pipelines or ()):
            yield metrics.document.problem(*found)


@dataclass(frozen=True, slots=True)
class _Unread:
    """A file that cannot be read, and why."""

    problem: str


def _text(path: Path) -> "str | _Unread":
    try:
        return path.read_bytes().decode()
    except OSError as error:
        return _Unread(f"{path}: cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return _Unread(f"{path}:{line}: is not UTF-8 text")


def metrics_path(config: Path, named: str | None) -> Path:
    """Where the user's metrics lie: in the file that the configuration names, or beside it."""
    return config.parent / (named or METRICS)


@dataclass(frozen=True, slots=True)
class SoundMetrics:
    """What is right in a `metrics.yaml`, in which currency, and its text."""

    defined: Defined
    currency: str
    document: Document


def sound_metrics(path: Path) -> SoundMetrics | None:
    """What is right in `metrics.yaml` where something is wrong in one of the two files; None: nothing is."""
    try:
        said = read_document(path.read_text(encoding="utf-8"), str(path)).value
    except (ConfigError, OSError, UnicodeDecodeError):
        return None
    said = said if isinstance(said, dict) else {}
    read = _metrics_of(said.get("metrics"), path.parent)
    organisation = said.get("organisation")
    if isinstance(read, _Unread) or read.document is None or not isinstance(organisation, dict):
        return None
    return SoundMetrics(read.sound(), str(organisation.get("currency")), read.document)


def _metrics_of(named: Any, folder: Path) -> "ReadDefinitions | _Unread":
    """What the user's file defines on top of what is shipped. One that nobody names need not be there."""
    path = folder / (named if isinstance(named, str) and named else METRICS)
    if not isinstance(named, str) and not path.exists():
        return ReadDefinitions(shipped(), [])
    text = _text(path)
    return read_metrics(text, str(path), shipped()) if isinstance(text, str) else text


def _filled(value: Any, environment: Mapping[str, str], path: DocumentPath, missing: dict[DocumentPath, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, environment, (*path, key), missing) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, environment, (*path, index), missing) for index, inner in enumerate(value)]
    if not isinstance(value, str):
        return value

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        if name not in environment:
            missing[path] = name
        return environment.get(name, "")

    return _ENV.sub(fill, value)


def _found(problem: ErrorDetails, document: Document) -> list[tuple[DocumentPath, str]]:
    """Where each problem that pydantic told in one stands, and what it is."""
    if problem["type"] == "references":
        return [(tuple(path), reason) for path, reason in problem["ctx"]["problems"]]
    return [refused(problem, document, Config)]


__all__ = ["ConfigError", "load_config", "parse_config"]
