"""YAML 1.2 as it is written: nothing is guessed into another type, no key is there twice, each value knows its line.

Owns the reading of the text. Does not know what stands in it.

PyYAML reads YAML 1.1, in which the keys `no` and `0123` are false and 83, `11:00` is 660, and of a key that is there
twice the first value is lost in silence. Its parser is right; what turns scalars into values is left out here: a scalar
is the text that was written, or None where nothing (or `null`, `~`) was. Whoever reads a field turns it into a number,
a claim or a duration. So an id keeps its zeros, and an amount its decimals, whether there are quotes or not.

A library for YAML 1.2 (ruamel.yaml, strictyaml) would be a second one beside PyYAML, and would still have to be told to
leave scalars alone: it reads an id `0123` as the number 123.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from schemas.documents.errors import ConfigError

MAX_FILE = 1 << 20
MAX_DEPTH = 50
MAX_VALUES = 1 << 17
"""With all that aliases (`*name`) stand for: a few lines of them can stand for more than there is memory."""

DocumentPath = tuple[str | int, ...]
DocumentProblem = tuple[DocumentPath, str]
"""Where, and what is wrong."""
_OWN_TAGS = "tag:yaml.org,2002:"
_NOTHING = f"{_OWN_TAGS}null"
_PLAIN_TAGS = frozenset(
    _OWN_TAGS + name for name in ("null", "bool", "int", "float", "timestamp", "value", "str", "map", "seq", "merge")
)
"""What PyYAML guesses by itself. What it never does (`!!binary`, `!!set`) was written, and means another value."""
_MERGE = "<<"
_FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""In C, where there is one. It knows no bound for how deeply a text is nested: for texts of ours only."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a text says: mappings, lists, texts and None."""

    source: str
    value: Any
    lines: Mapping[DocumentPath, int]
    """Where each value begins, and each key of a mapping."""

    def line(self, path: DocumentPath) -> int:
        """The line of that place, or of the nearest one around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def problem(self, path: DocumentPath, reason: str) -> str:
        """`file:line: field: reason`."""
        where = ".".join(map(str, path))
        return f"{self.source}:{self.line(path)}: {where}: {reason}" if path else f"{self.source}:1: {reason}"


def read_document(text: str, source: str, *, is_ours: bool = False) -> Document:
    """Read a text. Raises ConfigError that names the line of each problem.

    `is_ours`: it is shipped with the product, so it is read the fast way, where faults are told in other words.
    """
    if len(text) > MAX_FILE:
        raise ConfigError([f"{source}: is larger than {MAX_FILE} bytes"])
    try:
        root = yaml.compose(text, Loader=_FAST if is_ours else yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError([f"{source}:{line}: is not YAML: {error.problem}"]) from None
    except yaml.YAMLError as error:
        raise ConfigError([f"{source}: is not YAML: {' '.join(str(error).split())}"]) from None
    except RecursionError:
        raise ConfigError([f"{source}: is nested too deeply"]) from None
    reader = _Reader(source)
    value = None if root is None else reader.read(root, ())
    if reader.problems:
        raise ConfigError(reader.problems)
    return Document(source, value, reader.lines)


class _Reader:
    """From PyYAML's nodes to values."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.lines: dict[DocumentPath, int] = {}
        self.problems: list[str] = []
        self._values = 0
        self._told: set[int] = set()

    def read(self, node: yaml.Node, path: DocumentPath) -> Any:
        """The value of a node. What is wrong with one that aliases stand for again is told where it is written."""
        before = len(self.problems)
        value = self._read(node, path)
        if id(node) in self._told:
            del self.problems[before:]
        self._told.add(id(node))
        return value

    def _read(self, node: yaml.Node, path: DocumentPath) -> Any:
        self._values += 1
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        if len(path) > MAX_DEPTH or self._values > MAX_VALUES:
            raise ConfigError([f"{self.source}:{line}: holds too much, or is nested too deeply"])
        if node.tag not in _PLAIN_TAGS:
            tag = node.tag.replace(_OWN_TAGS, "!!")
            self.problems.append(f"{self.source}:{line}: {_dotted(path)}tags such as {tag} are not known here")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(value, (*path, index)) for index, value in enumerate(node.value)]
        is_plain = isinstance(node, yaml.ScalarNode) and not node.style
        return None if is_plain and node.tag == _NOTHING else str(node.value)

    def _mapping(self, node: yaml.MappingNode, path: DocumentPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: list[yaml.Node] = []
        first: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self.problems.append(f"{self.source}:{line}: {_dotted(path)}a key must be text")
                continue
            name = str(key.value)
            if name in first:
                where = ".".join(map(str, (*path, name)))
                self.problems.append(f"{self.source}:{line}: {where}: stands already in line {first[name]}")
                continue
            first[name] = line
            if name == _MERGE and not key.style:
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
                continue
            inner = (*path, name)
            self.lines[inner] = line
            found[name] = self.read(value, inner)
        for other in merged:  # what stands here itself wins, and then what was merged first
            if not isinstance(other, yaml.MappingNode):
                line = other.start_mark.line + 1
                self.problems.append(f"{self.source}:{line}: {_dotted(path)}<< takes mappings only")
                continue
            for name, value in self.read(other, path).items():
                found.setdefault(name, value)
        return found


def _dotted(path: DocumentPath) -> str:
    return f"{'.'.join(map(str, path))}: " if path else ""
