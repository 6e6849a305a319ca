"""Which settings there are at a place of the file: for whoever misspelt one.

Owns the walk through the models. Words no error.
"""

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel


def known_at(root: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """The settings of the part that pydantic's `place` leads to; none where there is no such part."""
    models: list[type[BaseModel]] = [root]
    for part in place:
        inner = [model for each in models for model in _below(each, part)]
        models = inner or models  # a key of a mapping, a place in a list, the tag of a kind: the part itself follows
        tagged = [model for model in models if part in _tags(model)]
        models = tagged or models
    return list(dict.fromkeys(field.alias or name for model in models for name, field in model.model_fields.items()))


def _below(model: type[BaseModel], part: str | int) -> Iterator[type[BaseModel]]:
    field = model.model_fields.get(part) if isinstance(part, str) else None
    if field is not None:
        yield from _models_in(field.annotation)


def _models_in(hint: Any) -> Iterator[type[BaseModel]]:
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield hint
    for argument in get_args(hint):
        yield from _models_in(argument)


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    field = model.model_fields.get("kind")
    return () if field is None else get_args(field.annotation)
