"""From the text of `floorcast.yaml` to a `Config`, or to errors that name file, line and field.

Owns the text, `${env:NAME}` in it, and where in it a problem is. Reads no environment by itself and opens no file but
the one it is given.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from schemas.config.whole import Config

MAX_FILE = 1 << 20


class ConfigError(Exception):
    """The configuration cannot be used. One line per problem, each naming file, line and field."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


_ENV = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")


def load_config(path: Path, environment: Mapping[str, str]) -> Config:
    """Read, fill in `${env:NAME}` and check. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: is not UTF-8 text"]) from None
    return parse_config(text, environment, str(path))


def parse_config(text: str, environment: Mapping[str, str], source: str = "floorcast.yaml") -> Config:
    """The configuration in `text`. Raises ConfigError with a line for each problem."""
    if len(text) > MAX_FILE:
        raise ConfigError([f"{source}: is larger than {MAX_FILE} bytes"])
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError([f"{source}:{line}: is not YAML: {error.problem}"]) from None
    except yaml.YAMLError as error:
        raise ConfigError([f"{source}: is not YAML: {error}"]) from None
    lines: dict[tuple[Any, ...], int] = {}
    _index_lines(node, (), lines)
    if not isinstance(data, dict):
        raise ConfigError([f"{source}:1: must be a mapping with organisation and connections"])
    missing: list[str] = []
    data = _substitute(data, environment, (), lines, source, missing)
    if missing:
        raise ConfigError(missing)
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError([_describe(problem, lines, source) for problem in error.errors()]) from None


def _index_lines(node: yaml.Node | None, path: tuple[Any, ...], lines: dict[tuple[Any, ...], int]) -> None:
    if node is None:
        return
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            lines[inner] = key.start_mark.line + 1
            _index_lines(value, inner, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _index_lines(value, (*path, index), lines)


def _substitute(
    value: Any,
    environment: Mapping[str, str],
    path: tuple[Any, ...],
    lines: Mapping[tuple[Any, ...], int],
    source: str,
    missing: list[str],
) -> Any:
    if isinstance(value, dict):
        return {
            str(key): _substitute(inner, environment, (*path, str(key)), lines, source, missing)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [
            _substitute(inner, environment, (*path, index), lines, source, missing) for index, inner in enumerate(value)
        ]
    if not isinstance(value, str):
        return value

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        if name not in environment:
            missing.append(f"{source}:{_line(path, lines)}: {_dotted(path)}: environment variable {name} is not set")
            return ""
        return environment[name]

    return _ENV.sub(fill, value)


def _line(path: tuple[Any, ...], lines: Mapping[tuple[Any, ...], int]) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _dotted(path: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in path)


def _describe(problem: Any, lines: Mapping[tuple[Any, ...], int], source: str) -> str:
    path = _path_of(problem, lines)
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message = "is not a setting here"
    elif problem["type"] == "missing":
        message = "is missing"
    where = f"{_dotted(path)}: " if path else ""
    return f"{source}:{_line(path, lines)}: {where}{message}"


def _path_of(problem: Any, lines: Mapping[tuple[Any, ...], int]) -> tuple[Any, ...]:
    """Where the problem stands in the file: without the marks that pydantic sets between (`[key]`, a kind, a type)."""
    written: tuple[Any, ...] = problem.get("ctx", {}).get("path", ())
    loc = written or tuple(part for part in problem["loc"] if part != "[key]")
    path: tuple[Any, ...] = ()
    for index, part in enumerate(loc):
        is_last = index == len(loc) - 1
        if (*path, part) in lines or (is_last and problem["type"] == "missing") or not lines:
            path = (*path, part)
    return path
