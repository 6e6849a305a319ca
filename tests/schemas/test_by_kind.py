from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, ValidationInfo, model_validator

from schemas.documents.by_kind import ByKind


class Animal(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: str
    name: str

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any, info: ValidationInfo) -> Any:
        return {"name": info.context} | data if info.context and isinstance(data, dict) else data


class Cat(Animal):
    kind: Literal["cat"]
    lives: int = 9


class Dog(Animal):
    kind: Literal["dog"]
    tricks: list[str] = []


KINDS: dict[str, type[BaseModel]] = {"cat": Cat, "dog": Dog}
ours: TypeAdapter[Any] = TypeAdapter(dict[str, Annotated[Animal, ByKind(tuple(KINDS), KINDS.__getitem__)]])
pydantics: TypeAdapter[Any] = TypeAdapter(dict[str, Annotated[Cat | Dog, Field(discriminator="kind")]])

RIGHT: list[Any] = [
    {"kind": "cat", "name": "Tom"},
    {"kind": "dog", "name": "Rex", "tricks": ["roll"]},
    Cat(kind="cat", name="Tom", lives=3),
]
WRONG: list[Any] = [
    *(None, 5, "cat", [], {}),
    {"kind": None},
    {"kind": 5},
    {"kind": ["cat"]},
    {"kind": "bird"},
    {"kind": "cat"},
    {"kind": "cat", "name": "Tom", "tricks": []},
    {"kind": "cat", "name": 5, "lives": "many"},
    {"kind": "dog", "name": "Rex", "tricks": [5, "roll", None]},
]


@pytest.mark.parametrize("entry", RIGHT)
def test_what_is_right_is_read_and_written_as_by_a_union_of_all(entry: Any) -> None:
    read = ours.validate_python({"a": entry})

    assert read == pydantics.validate_python({"a": entry})
    assert ours.dump_python(read) == pydantics.dump_python(read)


@pytest.mark.parametrize("entry", WRONG, ids=repr)
def test_what_is_wrong_is_told_as_by_a_union_of_all(entry: Any) -> None:
    told = []
    for adapter in (ours, pydantics):
        with pytest.raises(ValidationError) as refusal:
            adapter.validate_python({"a": entry})
        told.append(refusal.value.errors(include_url=False))

    assert told[0] == told[1]


def test_what_is_known_of_the_whole_reaches_each() -> None:
    assert ours.validate_python({"a": {"kind": "cat"}}, context="Tom") == {"a": Cat(kind="cat", name="Tom")}


def test_no_kind_is_asked_for_its_model_but_those_that_are_read() -> None:
    asked = []

    def model(kind: str) -> type[BaseModel]:
        asked.append(kind)
        return KINDS[kind]

    choice = ByKind(tuple(KINDS), model)
    read: TypeAdapter[Any] = TypeAdapter(Annotated[Any, choice])
    with pytest.raises(ValidationError):
        read.validate_python({"kind": "bird"})
    read.validate_python({"kind": "dog", "name": "Rex"})

    assert asked == ["dog"]
    assert {*choice.models()} == {*KINDS.values()}
