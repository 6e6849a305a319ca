"""How files are read that are imported into a connection: what `floorcast backfill NAME FILE --print-mapping` prints.

Owns the settings. What they mean is read in deploy/files/; the options of the command win over them.
"""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from schemas.documents.values import Model, TimeZone
from schemas.records import FIELDS

ColumnName = Annotated[str, Field(min_length=1, max_length=256)]
ColumnNames = Annotated[list[ColumnName], Field(min_length=1, max_length=16)]
FieldName = Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")]


class FileMapping(Model):
    """Which column is which field, and how its cells are written."""

    timezone: TimeZone | None = None
    """The zone of times in files that are written without an offset."""
    rep_by: Literal["id", "email", "name"] | None = None
    """How files name people. [default: id]"""
    columns: dict[str, dict[FieldName, ColumnName | ColumnNames]] = Field(default_factory=dict, max_length=len(FIELDS))
    """By kind of record and field: a column, or several whose cells are joined by a blank."""
    values: dict[FieldName, dict[str, list[str]]] = Field(default_factory=dict, max_length=100)
    """By field and word of ours: the words of the file that mean it; `*`: every other."""
    key: dict[str, ColumnNames] = Field(default_factory=dict, max_length=len(FIELDS))
    """By kind of record: the columns of which ids are made, where the file has none."""
    formats: dict[FieldName | Literal["*"], str | list[str]] = Field(default_factory=dict, max_length=100)
    """By field: how its instants are written (`DD/MM/YYYY HH:mm`; `*`: those of every other field).

    Beside them `decimal` (`.` or `,`), `duration` (`mm:ss`, `hh:mm`, `min` or `ms`) and `nulls`: a list of texts that
    say nothing.
    """

    @field_validator("columns", "key")
    @classmethod
    def _known_kinds(cls, by_kind: dict[str, object]) -> dict[str, object]:
        for kind in by_kind:
            if kind not in FIELDS:
                msg = f"there is no kind of record {kind!r}"
                raise ValueError(msg)
        return by_kind

    @field_validator("formats")
    @classmethod
    def _written(cls, formats: dict[str, str | list[str]]) -> dict[str, str | list[str]]:
        for name, text in formats.items():
            if isinstance(text, list) != (name == "nulls"):
                msg = f"{name} must be {'a list of texts' if name == 'nulls' else 'a text'}"
                raise ValueError(msg)
        if formats.get("decimal", ".") not in {".", ","}:
            raise ValueError("decimal must be . or ,")
        if formats.get("duration", "ms") not in {"mm:ss", "hh:mm", "min", "ms"}:
            raise ValueError("duration must be mm:ss, hh:mm, min or ms")
        return formats
