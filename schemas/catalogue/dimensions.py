"""Dimensions: closed lists of labels by which metrics are counted apart, or persons are told apart when they are read.

Owns what a label means as a condition on a fact. A list is closed because a limit such as "the first 20 seen" would
depend on the order of arrival. What lies in no list is `other`; bands hold up to and including their name.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from pydantic import Field, model_validator

from schemas.catalogue.conditions import AtLeast, Condition, First, Is, IsSet, every, opposite, some
from schemas.catalogue.facts import FACTS, fields_of_fact, has_field
from schemas.catalogue.rules import PipelineStages
from schemas.catalogue.tenure import months_of
from schemas.documents.errors import suggestion
from schemas.documents.text import DocumentProblem
from schemas.documents.values import Model
from schemas.instants import parse_duration
from schemas.records import CHOICES, FIELDS, FieldType

MAX_VALUES = 50
ALWAYS = "team"
"""The dimension that is there without being defined: the team of each day."""
ATTRIBUTES = "attributes"
PERSON = "rep"
_WITH_ATTRIBUTES = frozenset({"lead", "deal", "rep", "activity"})

UNKNOWN = "unknown"
_LATER = "later"
_NEVER = "never"
_IN_ORDER = frozenset({("deal", "kind")})
"""Fields whose fixed set of values has an order; the others go by name."""
_ALSO: Mapping[str, str] = {"lead.deals": "deal", "deal.stays": "deal", "customer.ends": "subscription"}
"""Fact -> the kind of record whose fields it has beside its own."""
_STAGE = "deal.stays.stage"
JOINED = "lead/"
"""Before a kind of record: those of them that name a lead, with the fields of that lead."""


class Dimension(Model):
    """An entry of `dimensions`."""

    of: str = Field(min_length=1, max_length=200)
    """`deal.product`, `deal.attributes.industry`, `lead.source`, `rep.region`: a fact or a person, and a field."""
    values: dict[str, list[str]] | None = None
    """Name -> the texts of the field that it stands for. None: the field has a fixed set of values, or is looked up."""
    other: str = Field(default="Other", min_length=1, max_length=60)
    """What all other texts are called."""
    bands: list[str] | None = Field(default=None, min_length=1, max_length=MAX_VALUES)
    """Upper ends of durations or ages, in ascending order."""

    @model_validator(mode="after")
    def _check_bands(self) -> "Dimension":
        if self.bands is not None:
            sizes = [months_of(band) if self.is_of_person else parse_duration(band) for band in self.bands]
            if not sizes or sizes != sorted(set(sizes)):
                raise ValueError("bands must ascend")
        return self

    @property
    def values_in_order(self) -> tuple[str, ...]:
        """The labels of its list, with the one for all others."""
        return (*self.values, self.other) if self.values is not None else ()

    def label_of(self, text: str | None) -> str:
        """The label of a value, by its list."""
        return next((label for label, values in self._lists.items() if text in values), self.other)

    @property
    def is_of_person(self) -> bool:
        """Whether it tells persons apart: then nothing is counted for it, and every metric has it."""
        return self.of.startswith("rep.")

    @property
    def is_of_stages(self) -> bool:
        """Whether its list are the steps of pipelines."""
        return self.of == _STAGE

    @cached_property
    def _place(self) -> tuple[str, str]:
        """(fact, field)."""
        head, found, name = self.of.partition(".attributes.")
        if found:
            return head, f"attributes.{name}"
        fact, _, name = self.of.rpartition(".")
        return fact, name

    @cached_property
    def _lists(self) -> Mapping[str, Sequence[str]]:
        if self.values is not None:
            return self.values
        fixed = CHOICES.get(self._place, ())
        return {value: (value,) for value in (fixed if self._place in _IN_ORDER else sorted(fixed))}

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """All of them, in their order; none where no list says which there are: then it is not kept."""
        if self.is_of_person:
            return ()
        if self.bands is not None:
            return (*self.bands, _LATER, _NEVER, UNKNOWN)
        return (*self._lists, self.other) if self._lists else ()

    def field_in(self, fact: str) -> str | None:
        """The field of a fact that says the label; None where the fact has none."""
        owner, name = self._place
        if owner in {fact, _ALSO.get(fact)} and has_field(fact, name):
            return name
        joined = f"{owner}.{name}"
        return joined if has_field(fact, joined) else None

    def joined(self, fact: str) -> str | None:
        """The fact that counts those rows of a fact of which only the lead says the label."""
        if self._place[0] != "lead" or self.field_in(fact) is not None or "lead" not in FACTS[fact]:
            return None
        found = f"{JOINED}{fact}"
        return found if found in FACTS else None

    def condition(self, fact: str, label: str) -> Condition | None:
        """Where a row has the label; None: this fact cannot say."""
        name = self.field_in(fact)
        if name is None:
            if self.joined(fact) is None:
                return None
            # Those that name a lead are counted where that is known.
            return opposite(IsSet(("lead",))) if not self.labels or label == self.labels[-1] else False
        if self.bands is not None:
            return self._band(fact, name, label)
        lists = {held: some(Is(name, value) for value in values) for held, values in self._lists.items()}
        if label in lists:
            return lists[label]
        return every(opposite(held) for held in lists.values())

    def _band(self, fact: str, name: str, label: str) -> Condition:
        bands = self.bands or []
        register, limits = First((name,)), [parse_duration(band) for band in bands]
        known = _is_known(fact, name)
        if label == UNKNOWN:
            return opposite(known)
        if label == _NEVER:
            return every([known, opposite(IsSet((name,)))])
        place = bands.index(label) if label in bands else len(bands)
        parts: list[Condition] = [IsSet((name,))]
        if place:
            parts.append(AtLeast(register, limits[place - 1] + 1))
        if place < len(bands):
            parts.append(opposite(AtLeast(register, limits[place] + 1)))
        return every(parts)


def _is_known(fact: str, name: str) -> Condition:
    """Whether the lead is known whose field this is."""
    if not name.startswith("lead."):
        return True
    return IsSet(tuple(sorted(held for held in FACTS[fact] if held.startswith("lead."))))


Dimensions = Mapping[str, Dimension]


def with_stages(dimensions: Dimensions, pipelines: Iterable[PipelineStages]) -> Dimensions:
    """Those whose list are the stages of deals, with the steps of all pipelines in their order, but for won stages."""
    steps = dict.fromkeys(step for held in pipelines for step in held.steps if step not in held.won)
    if not steps:
        return dimensions
    values = {step: [step] for step in steps}
    return {
        name: Dimension(of=held.of, other=held.other, values=values) if held.of == _STAGE and not held.values else held
        for name, held in dimensions.items()
    }


def dimension_problems(dimension: Dimension) -> Iterator[DocumentProblem]:
    """Everything that is wrong with a dimension whose parts are of the right kinds."""
    yield from _of(dimension)
    if dimension.values is not None and dimension.bands is not None:
        yield ("bands",), "stands beside values: a dimension has one of them"
    yield from _values(dimension.values or {}, dimension.other)


def _of(dimension: Dimension) -> Iterator[DocumentProblem]:
    of = dimension.of
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
    elif of == f"{PERSON}.{ALWAYS}":
        yield ("of",), f"is the dimension {ALWAYS}, which is there without being defined"
    elif dimension.bands is not None:
        if (_kind_of(owner, field) is not FieldType.SECONDS) and of != _TENURE:
            yield ("bands",), f"are for durations such as lead.response, and for {_TENURE}: {of} is neither"
    elif owner != PERSON and _kind_of(owner, field) not in _TEXTS:
        yield ("of",), f"{of} is no text, so no value of it can be listed"


_TENURE = "rep.since"
_TEXTS = frozenset({FieldType.TEXT, FieldType.CHOICE, FieldType.CURRENCY, FieldType.REFERENCE})


def _kind_of(owner: str, field: str) -> FieldType | None:
    return FIELDS[PERSON].get(field) if owner == PERSON else FACTS[owner].get(field)


def _values(values: Mapping[str, list[str]], other: str) -> Iterator[DocumentProblem]:
    if len(values) > MAX_VALUES:
        yield ("values",), f"has {len(values)} values; {MAX_VALUES} are the most"
    if other in values:
        yield ("other",), f"{other} is a value already"
    taken: dict[str, str] = {}
    for name, texts in values.items():
        for text in texts:
            first = taken.setdefault(text, name)
            if first != name:
                yield ("values", name), f"{text} stands for {first} already"
