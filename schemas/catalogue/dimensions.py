"""The `dimensions` of `metrics.yaml`: by what numbers may be split, and into which values.

Owns how a dimension is written and what is wrong with one. All values are listed: a limit such as "the first 20 seen"
would depend on the order in which records arrive.
"""

from collections.abc import Iterator, Mapping

from pydantic import Field

from schemas.catalogue.facts import FACTS, fields_of_fact
from schemas.documents.errors import suggestion
from schemas.documents.values import Model
from schemas.records import FIELDS

MAX_VALUES = 50
ATTRIBUTES = "attributes"
PERSON = "rep"
_WITH_ATTRIBUTES = frozenset({"lead", "deal", "rep", "activity"})

Problem = tuple[tuple[str | int, ...], str]
"""Where in the dimension, and what is wrong."""


class Dimension(Model):
    """A field, and the values that are told apart."""

    of: str = Field(min_length=1, max_length=200)
    """`deal.product`, `deal.attributes.industry`, `lead.source`, `rep.region`: a fact or a person, and a field."""
    values: dict[str, list[str]] | None = None
    """Name -> the texts of the field that it stands for. None: the field has a fixed set of values, or is looked up."""
    other: str | None = Field(default=None, min_length=1, max_length=60)
    """What all other texts are called."""
    bands: list[str] | None = Field(default=None, min_length=1, max_length=MAX_VALUES)
    """Upper ends of durations or ages, in ascending order."""

    @property
    def is_of_person(self) -> bool:
        """Whether it is looked up when numbers are read: nothing is kept by it."""
        return self.of.partition(".")[0] == PERSON


def problems_of(dimension: Dimension) -> Iterator[Problem]:
    """Everything that is wrong with a dimension whose parts are of the right kinds."""
    yield from _of(dimension.of)
    if dimension.values is not None and dimension.bands is not None:
        yield ("bands",), "stands beside values: a dimension has one of them"
    yield from _values(dimension.values or {}, dimension.other)


def _of(of: str) -> Iterator[Problem]:
    owners = {PERSON: FIELDS[PERSON], **{name: dict.fromkeys(fields_of_fact(name)) for name in FACTS}}
    owner = max((name for name in owners if of.startswith(f"{name}.")), key=len, default=None)
    if owner is None:
        head = of.partition(".")[0]
        yield ("of",), f"{of} names no field of a fact or of rep, such as deal.product{suggestion(head, owners)}"
        return
    field = of.removeprefix(f"{owner}.")
    head, _, rest = field.partition(".")
    if head == ATTRIBUTES and owner in _WITH_ATTRIBUTES:
        if not rest:
            yield ("of",), f"names no attribute: write {owner}.attributes.NAME"
    elif field not in owners[owner]:
        yield ("of",), f"{owner} has no field {field}{suggestion(field, sorted(owners[owner]))}"


def _values(values: Mapping[str, list[str]], other: str | None) -> Iterator[Problem]:
    if len(values) > MAX_VALUES:
        yield ("values",), f"has {len(values)} values; {MAX_VALUES} are the most"
    if other is not None and other in values:
        yield ("other",), f"{other} is a value already"
    taken: dict[str, str] = {}
    for name, texts in values.items():
        for text in texts:
            first = taken.setdefault(text, name)
            if first != name:
                yield ("values", name), f"{text} stands for {first} already"


__all__ = ["ATTRIBUTES", "MAX_VALUES", "Dimension", "problems_of"]
