"""What a part of a number is called: the label of a dimension, as people read it.

Labels that stand for something (a kind of deal, a band of durations, all others) are said in the language of the page;
names that somebody has given, such as products, are left as they are. Pure.
"""

from collections.abc import Iterable

from api.words.texts import ReaderWords
from schemas.catalogue.dimensions import Dimension
from schemas.catalogue.rules import PipelineStages
from schemas.catalogue.tenure import months_of
from schemas.formats import Formats
from schemas.instants import SECOND, parse_duration

_SHIPPED_OTHER = {"Other": "other", "none": "none"}
"""What the shipped dimensions call all other values -> its text."""


def part_name(
    dimension: Dimension, label: str, words: ReaderWords, formats: Formats, pipelines: Iterable[PipelineStages]
) -> str:
    """What `label`, one of this dimension, is called."""
    found = _of_bands(dimension, label, words, formats)
    if found is None and dimension.is_of_stages:
        found = stage_name(None, label, pipelines) if label != dimension.other else None
    if dimension.is_of_person and dimension.values is None:
        return label if found is None else found
    if found is None and dimension.values is None:
        found = words.segment(f"{dimension.of}.{label}")
    if found is None and label == dimension.other and label in _SHIPPED_OTHER:
        found = words.segment(_SHIPPED_OTHER[label])
    return label if found is None else found


def _of_bands(dimension: Dimension, label: str, words: ReaderWords, formats: Formats) -> str | None:
    if dimension.bands is None:
        return None
    if label not in dimension.bands:
        return words.segment(f"band.{label}")
    if dimension.is_of_person:
        return words.segment("band.months", count=months_of(label))
    return words.segment("band.within", duration=formats.round_duration(parse_duration(label) / SECOND))


def readable(name: str) -> str:
    """A name that programs gave, as people read it: `demo_request` is demo request."""
    return " ".join(name.replace("_", " ").split())


def stage_name(pipeline: str | None, stage: str, pipelines: Iterable[PipelineStages]) -> str:
    """What people call a stage of a pipeline; None: of the first that has one of this name."""
    held = [each for each in pipelines if each.name == pipeline] if pipeline is not None else [*pipelines]
    named = next((each for each in held if stage in dict(each.labels) or stage in {*each.steps, *each.won}), None)
    return (named or PipelineStages("", (), ())).label_of(stage)
