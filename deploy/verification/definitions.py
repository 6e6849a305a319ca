"""What the metrics are, as metrics.yaml says: the shipped file and a user's own, merged, before anybody reads a rule.

Owns the merging and how numbers, days and durations are written. The file's texts stay texts: what they mean is said
where they are used (`conditions`, `measures`, `formulas`). Shares nothing with the stream but the shipped file.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from deploy.verification.shapes import DAY, HOUR, MINUTE, SECOND
from schemas.documents.text import read_document

Entry = Mapping[str, Any]
"""An entry of `metrics` as it was written: texts, lists and mappings."""

_UNITS = {"ms": SECOND // 1000, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_WORD = re.compile(r"[a-z][a-z0-9_]*")
_QUIET_AFTER = "14d"


@dataclass(frozen=True)
class Definitions:
    """All metrics and dimensions by name, in the order of the files."""

    metrics: Mapping[str, Entry]
    dimensions: Mapping[str, Entry] = field(default_factory=dict)
    cold_sources: frozenset[str] = frozenset()
    quiet_after: int = 14 * DAY


@cache
def shipped() -> Definitions:
    """What the product ships."""
    return merged(_shipped_document())


def with_own(own: Mapping[str, Any]) -> Definitions:
    """What the product ships, and over it what a user's file says."""
    return merged(_shipped_document(), own)


@cache
def _shipped_document() -> Mapping[str, Any]:
    text = files("schemas").joinpath("catalogue", "metrics.yaml").read_text("utf-8")
    found: Mapping[str, Any] = read_document(text, "metrics.yaml", is_ours=True).value
    return found


def merged(*documents: Mapping[str, Any]) -> Definitions:
    """One after another: an entry takes the place of one of its name, and `false` takes it away."""
    metrics: dict[str, Entry] = {}
    dimensions: dict[str, Entry] = {}
    cold: list[str] = []
    quiet_after = _QUIET_AFTER
    for document in documents:
        for name, entry in (document.get("metrics") or {}).items():
            if isinstance(entry, Mapping):
                metrics[name] = entry
            else:
                metrics.pop(name, None)
        dimensions |= document.get("dimensions") or {}
        cold = document.get("cold_sources") or cold
        quiet_after = document.get("quiet_after") or quiet_after
    return Definitions(metrics, dimensions, frozenset(map(str, cold)), duration(quiet_after))


def of_file(config_file: Path) -> Definitions:
    """What counts for a floorcast.yaml: what is shipped, and the file that it names, else `metrics.yaml` beside it."""
    named = (read_document(config_file.read_text("utf-8"), config_file.name).value or {}).get("metrics")
    own = config_file.parent / (named or "metrics.yaml")
    if named is None and not own.exists():
        return shipped()
    return with_own(read_document(own.read_text("utf-8"), own.name).value or {})


def facts_behind(definitions: Definitions, name: str) -> set[str]:
    """What a metric is counted from: the facts of simple metrics and durations, of others their type."""
    entry = definitions.metrics[name]
    return {fact for _, _, version in versions(entry) for fact in _behind(definitions, version)}


def _behind(definitions: Definitions, entry: Entry) -> set[str]:
    kind = entry.get("type", "simple")
    if kind in ("simple", "duration"):
        return set(names(entry["from"]))
    if kind == "derived":
        parts: list[Any] = [word for word in _WORD.findall(str(entry["expr"])) if word in definitions.metrics]
    elif kind == "ratio":
        parts = [entry["numerator"], entry["denominator"]]
    elif kind == "conversion":
        parts = [entry["base"]]
    else:
        return {kind}
    found: set[str] = set()
    for part in parts:
        named = part if isinstance(part, str) else part.get("metric")
        found |= facts_behind(definitions, named) if named is not None else _behind(definitions, part)
    return found


def duration(written: Any) -> int:
    """`60s`, `5m`, `1h`, `14d` in microseconds."""
    text = str(written).strip()
    unit = text.lstrip("0123456789.")
    return int(Fraction(text.removesuffix(unit)) * _UNITS[unit.strip()])


def exact_number(written: Any) -> Fraction:
    """A number as it is written, exactly."""
    return Fraction(Decimal(str(written)))


def day(written: Any) -> date:
    """`2026-03-18`."""
    return written if isinstance(written, date) else date.fromisoformat(str(written))


def names(written: Any) -> tuple[str, ...]:
    """One name, a list of names, or none."""
    if written is None:
        return ()
    return (written,) if isinstance(written, str) else tuple(map(str, written))


def versions(entry: Entry) -> list[tuple[date, date, Entry]]:
    """The days on which each version of an entry is in force (the last one excluded), and what it says."""
    own = entry.get("versions")
    if not own:
        return [(date.min, date.max, entry)]
    common = {name: value for name, value in entry.items() if name != "versions"}
    begins = [date.min if one.get("since") is None else day(one["since"]) for one in own]
    ends = [*begins[1:], date.max]
    return [(begin, end, common | dict(one)) for begin, end, one in zip(begins, ends, own, strict=True)]


def mentions(where: Any, field_name: str) -> bool:
    """Whether a condition asks for a field, however deep."""
    if isinstance(where, Mapping):
        return any(name == field_name or mentions(value, field_name) for name, value in where.items())
    return isinstance(where, list | tuple) and any(mentions(one, field_name) for one in where)


def is_sum(definitions: Definitions, metric: str, *, with_levels: bool = False) -> bool:
    """Whether a metric is a count or a sum (or a level), or made of such by + - and *."""
    entry = definitions.metrics[metric]
    version = (entry.get("versions") or [{}])[0]
    kind, stat = (entry.get(key, version.get(key)) for key in ("type", "stat"))
    match kind:
        case "simple":
            return True
        case "level":
            return with_levels and bool(stat != "kept")
        case "duration":
            return bool(stat == "sum")
        case "response":
            return stat in ("due", "answered", "missed")
        case "derived" if "/" not in str(entry["expr"]):
            named = {node.id for node in ast.walk(ast.parse(str(entry["expr"]).strip())) if isinstance(node, ast.Name)}
            return all(is_sum(definitions, one, with_levels=with_levels) for one in named)
    return False
