"""What pydantic refuses, in the words of somebody who wrote the file: where it stands, and what is wrong with it.

Owns these words, and which settings there are at a place, for whoever misspelt one. Validates nothing.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from schemas.documents.by_kind import ByKind
from schemas.documents.errors import suggestion
from schemas.documents.text import Document, DocumentPath

_SHAPES = {
    "list_type": "must be a list",
    "string_type": "must be a text",
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "must be a mapping"),
}
_TOLD = {
    **_SHAPES,
    "missing": "is missing",
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(
        ("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"),
        "must be a date such as 2026-03-18",
    ),
}


def refused(
    problem: ErrorDetails, document: Document, root: type[BaseModel], place: DocumentPath = ()
) -> tuple[DocumentPath, str]:
    """Where a problem stands and what it is. `root` is the model of what stands at `place` of the document."""
    context = problem.get("ctx", {})
    path = _path_of(problem, document, place)
    message = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    match problem["type"]:
        case "extra_forbidden":
            message = f"is not a setting here{suggestion(str(path[-1]), _known_at(root, problem['loc'][:-1]))}"
        case "union_tag_not_found":
            path, message = (*path, "kind"), "is missing"
        case "union_tag_invalid":
            known = [word.strip("' ") for word in context["expected_tags"].split(",")]
            path, message = (*path, "kind"), f"there is no kind {context['tag']!r}{suggestion(context['tag'], known)}"
        case kind if kind in _SHAPES and problem["input"] is None:
            message = "is empty"
        case "string_too_short" | "too_short":
            least = context.get("min_length", 1)
            message = "must not be empty" if least == 1 else f"must be at least {least} long"
        case "string_too_long" | "too_long":
            most = context["max_length"]
            message = f"must be at most {most} long" if most else "must be empty"
        case "string_pattern_mismatch":
            message = f"must be written like {context['pattern']}"
        case "literal_error":
            known = re.findall(r"'([^']*)'", context["expected"])
            message = f"must be one of {', '.join(known)}"
            if isinstance(problem["input"], str) and "did you mean" in suggestion(problem["input"], known):
                message += suggestion(problem["input"], known)
        case kind:
            message = _TOLD.get(kind, message)
    return path, message


def _path_of(problem: ErrorDetails, document: Document, place: DocumentPath) -> DocumentPath:
    """Without the marks that pydantic sets between (`[key]`, a kind, a type)."""
    loc = tuple(part for part in problem["loc"] if part != "[key]")
    path = place
    for index, part in enumerate(loc):
        is_last = index == len(loc) - 1
        if (*path, part) in document.lines or (is_last and problem["type"] == "missing"):
            path = (*path, part)
    return path


def _known_at(root: type[BaseModel], place: Sequence[str | int]) -> list[str]:
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
    if isinstance(hint, ByKind):
        yield from hint.models()
    for argument in get_args(hint):
        yield from _models_in(argument)


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    field = model.model_fields.get("kind")
    return () if field is None else get_args(field.annotation)
