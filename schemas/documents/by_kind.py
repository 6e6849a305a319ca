"""A part of a file that is one of several models, by what stands in its `kind`: each is imported when one is read.

Owns the choice, and how pydantic goes by it. What the kinds are is in the registry that makes it.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, GetCoreSchemaHandler, TypeAdapter, ValidationInfo
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

_NAME = "kind"
_Refusal = Literal["model_attributes_type", "union_tag_not_found", "union_tag_invalid"]


@dataclass(frozen=True)
class ByKind:
    """Annotates what all these models have in common: `Annotated[Shape, ByKind(kinds, model)]`.

    It is read as a union that pydantic tells apart by `kind`, with the same errors at the same places. pydantic's own
    needs every model when it is made, though a file has one or two of them.
    """

    kinds: Collection[str]
    model: Callable[[str], type[BaseModel]]
    """The model of one of these kinds."""

    def models(self) -> Iterator[type[BaseModel]]:
        """All of them, for whoever says which there are."""
        return map(self.model, self.kinds)

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            self._read, serialization=core_schema.simple_ser_schema("any")
        )

    def _read(self, entry: Any, info: ValidationInfo) -> BaseModel:
        wrong = self._wrong_with(entry)
        if wrong is not None:
            raise PydanticKnownError(*wrong)
        kind = entry[_NAME] if isinstance(entry, dict) else getattr(entry, _NAME)
        return _reader(kind, self.model(kind)).validate_python(entry, context=info.context)

    def _wrong_with(self, entry: Any) -> tuple[_Refusal, dict[str, Any] | None] | None:
        """What pydantic calls it where nothing tells the kind of an entry, and what it tells beside."""
        if not isinstance(entry, dict | BaseModel):
            return "model_attributes_type", None
        told = {"discriminator": repr(_NAME)}
        if _NAME not in (entry if isinstance(entry, dict) else type(entry).model_fields):
            return "union_tag_not_found", told
        kind = entry[_NAME] if isinstance(entry, dict) else getattr(entry, _NAME)
        if isinstance(kind, str) and kind in self.kinds:
            return None
        return "union_tag_invalid", told | {"tag": str(kind), "expected_tags": ", ".join(map(repr, self.kinds))}


@dataclass(frozen=True)
class _Told:
    """One of the models as the only one of a union: so what is wrong in it names its kind, as in a union of all."""

    kind: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.tagged_union_schema({self.kind: handler(source)}, discriminator=_NAME)


@lru_cache(maxsize=64)
def _reader(kind: str, model: type[BaseModel]) -> TypeAdapter[BaseModel]:
    told: Any = Annotated[model, _Told(kind)]
    return TypeAdapter(told)
