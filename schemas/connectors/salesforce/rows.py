"""The rows of an answer of Salesforce's API: their ids completed, their instants read. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.connectors.asking import BadAnswerError, CrmAnswer, objects_in
from schemas.connectors.salesforce.ids import id_in
from schemas.connectors.salesforce.objects import micros


def instant_in(row: Mapping[str, Any], name: str) -> int:
    """An instant that a row must have, in microseconds. Raises BadAnswerError."""
    try:
        found = micros(row.get(name))
    except ValueError as error:
        raise BadAnswerError(name, str(error)) from None
    if found is None:
        raise BadAnswerError(name, "is missing")
    return found


def row_of(record: dict[str, Any]) -> dict[str, Any]:
    """A record with its `id` as others have it, and nothing of its type."""
    record.pop("attributes", None)
    if "Id" in record:
        record["id"] = id_in(record["Id"], "Id", BadAnswerError)
    return record


def rows_of(answer: CrmAnswer) -> Iterator[dict[str, Any]]:
    """All of a query's page. Raises BadAnswerError."""
    return map(row_of, objects_in(answer.data, "records"))
