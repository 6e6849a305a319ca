"""The description of the api: complete, with examples and errors, and true."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.http.models import alerts, deliveries, freshness, leads, metrics
from schemas.connectors import KINDS, kind_of
from schemas.connectors.base import ContentTypeError
from schemas.connectors.cloud_events import BATCHED, STRUCTURED
from schemas.records import FIELDS
from tests.api.fakes import FakeIngest
from tests.api.reading import Floor
from tests.builders import change
from tests.schemas.connectors.cases import GENERIC, NOW

CONTRACT = {
    "/v1/metrics", "/v1/reps", "/v1/teams", "/v1/reps/{rep}/metrics", "/v1/reps/metrics", "/v1/teams/{team}/metrics",
    "/v1/organisation/metrics", "/v1/leaderboards/{metric}", "/v1/series/{metric}", "/v1/leads/waiting",
    "/v1/leads/{lead}", "/v1/alerts", "/v1/stream", "/v1/dead-letters", "/v1/freshness", "/board/{screen}", "/livez",
    "/readyz", "/metrics",
}  # fmt: skip
OPEN = {"/livez", "/readyz"}
PAIRING = {"/v1/screens/codes", "/v1/screens/codes/{code}"}
"""A screen that wants to be paired has no key yet."""
DELIVERY = "/webhooks/{connection}"
"""What proves itself: by its signature, not by a key."""


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    return Floor(tmp_path, ingest=FakeIngest())


@pytest.fixture
def described(floor: Floor) -> dict[str, Any]:
    return floor.app.openapi()


def operations(described: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for operation in methods.values():
            yield path, operation


def test_every_path_of_the_contract_is_described(described: dict[str, Any]) -> None:
    assert described["paths"].keys() >= CONTRACT


def test_every_operation_has_a_name_of_its_own_a_summary_and_a_tag(described: dict[str, Any]) -> None:
    names = []
    for path, operation in operations(described):
        if path in OPEN:
            continue
        names.append(operation["operationId"])
        assert operation["summary"], path
        assert operation["tags"], path
        assert operation["description"], path

    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


def test_every_parameter_says_what_it_is(described: dict[str, Any]) -> None:
    for path, operation in operations(described):
        for parameter in operation.get("parameters", ()):
            schema = parameter["schema"]
            is_clear = parameter["in"] == "path" or "description" in parameter or "enum" in str(schema)
            assert is_clear or parameter["name"] in {"limit", "role"}, (path, parameter["name"])


def test_every_200_has_a_schema_and_an_example(described: dict[str, Any]) -> None:
    for path, operation in operations(described):
        if path in OPEN:
            continue
        found = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
        for content in found.get("content", {}).values():
            assert content["schema"], path
            assert "example" in content or exemplified(described, content["schema"]), path


def exemplified(described: dict[str, Any], schema: dict[str, Any]) -> bool:
    """Whether each value in it has an example."""
    if "$ref" in schema:
        schema = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "examples" in schema or "const" in schema or schema.get("type") == "null":
        return True
    if "anyOf" in schema:
        return all(exemplified(described, part) for part in schema["anyOf"])
    if schema.get("type") == "array":
        return exemplified(described, schema["items"])
    if "properties" in schema:
        missing = [name for name, part in schema["properties"].items() if not exemplified(described, part)]
        assert not missing, (schema["title"], missing)
        return True
    return False


def test_errors_are_problem_documents(described: dict[str, Any]) -> None:
    for path, operation in operations(described):
        responses = operation["responses"]
        if path in OPEN:
            continue
        has_no_scope = path.startswith("/board") or path == DELIVERY
        needed = {"401", "503"} if has_no_scope else set() if path in PAIRING else {"401", "403", "503"}
        if path.startswith("/v1/"):  # a parameter that there is not
            needed.add("422")
        if "{" in path and "leaderboards" not in path:
            needed.add("404")
        assert needed <= responses.keys(), path
        for status, response in responses.items():
            if status.startswith(("4", "5")):
                assert list(response["content"]) == ["application/problem+json"], (path, status)
                assert response["content"]["application/problem+json"]["schema"] == {
                    "$ref": "#/components/schemas/Problem"
                }, path
    assert described["components"]["schemas"]["Problem"]["properties"].keys() == {
        "type", "title", "status", "detail", "field",
    }  # fmt: skip


def test_key_is_asked_for_everywhere_but_where_the_process_is_asked_how_it_is(described: dict[str, Any]) -> None:
    for path, operation in operations(described):
        if path not in OPEN and not path.startswith("/board"):
            assert bool(operation["security"]) == (path not in {*PAIRING, DELIVERY}), path


def test_every_page_says_where_the_next_one_begins_or_that_there_is_none(described: dict[str, Any]) -> None:
    """All rows of reps come where no page is asked for, and then there is nothing to say."""
    pages = {
        path: operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for path, operation in operations(described)
        if any(parameter["name"] == "cursor" for parameter in operation.get("parameters", []))
    }
    assert pages.keys() >= {"/v1/alerts", "/v1/dead-letters", "/v1/leads/waiting", "/v1/goals"}
    for path, name in pages.items():
        schema = described["components"]["schemas"][name]
        assert ("next" in schema["required"]) == (path != "/v1/reps/metrics"), path
        assert {"type": "null"} in schema["properties"]["next"]["anyOf"], path


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/metrics", metrics.MetricsAnswer),
        ("/v1/reps", metrics.RepsAnswer),
        ("/v1/teams", metrics.TeamsAnswer),
        ("/v1/reps/metrics", metrics.RowsAnswer),
        ("/v1/reps/r1/metrics", metrics.RowAnswer),
        ("/v1/teams/north/metrics", metrics.RowAnswer),
        ("/v1/organisation/metrics", metrics.RowAnswer),
        ("/v1/leaderboards/connect_rate", metrics.LeaderboardAnswer),
        ("/v1/leaderboards/revenue_won", metrics.LeaderboardAnswer),
        ("/v1/series/revenue_won?rep=r1", metrics.SeriesAnswer),
        ("/v1/leads/waiting?limit=1", leads.WaitingLeadsAnswer),
        ("/v1/leads/l1", leads.LeadAnswer),
        ("/v1/leads/l2", leads.LeadAnswer),
        ("/v1/alerts", alerts.AlertsAnswer),
        ("/v1/alerts?limit=1", alerts.AlertsAnswer),
        ("/v1/dead-letters", alerts.DeadLettersAnswer),
        ("/v1/freshness", freshness.FreshnessAnswer),
    ],
)
async def test_answer_holds_what_its_schema_names_and_nothing_else(floor: Floor, path: str, model: type[Any]) -> None:
    floor.take(
        change("lead", "l1", rep="r1", received_at="2026-03-18T14:00Z"),
        change("lead", "l3", rep="r1", received_at="2026-03-18T14:00Z"),
        change("lead", "l2", rep="r1", received_at="2026-03-18T14:00Z"),
        change("call", "c1", rep="r1", direction="outbound", dialed_at="2026-03-18T15:00Z", lead="l2"),
    )

    answer = await floor.read(path)

    model.model_validate(answer, strict=True)
    assert not list(unknown(answer, model.model_json_schema(by_alias=True)))


def unknown(value: Any, schema: dict[str, Any], defs: dict[str, Any] | None = None) -> Iterator[str]:
    """Fields of a value that its schema does not name."""
    defs = schema.get("$defs", {}) if defs is None else defs
    if "$ref" in schema:
        schema = defs[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema and value is not None:
        schema = next((part for part in schema["anyOf"] if part.get("type") != "null"), schema)
        yield from unknown(value, schema, defs)
    elif isinstance(value, list):
        for item in value:
            yield from unknown(item, schema["items"], defs)
    elif isinstance(value, dict) and "properties" in schema:
        for name, item in value.items():
            if name not in schema["properties"]:
                yield name
            else:
                yield from unknown(item, schema["properties"][name], defs)


def test_each_body_that_is_described_is_taken_and_answered_as_described(described: dict[str, Any]) -> None:
    operation = described["paths"][DELIVERY]["post"]
    request, bodies = GENERIC.request(), operation["requestBody"]["content"]

    for media in bodies:
        GENERIC.connector().verify(replace(request, headers={**request.headers, "content-type": media}), NOW)

    with pytest.raises(ContentTypeError):
        GENERIC.connector().verify(replace(request, headers={**request.headers, "content-type": "text/xml"}), NOW)
    assert bodies.keys() == {"application/json", STRUCTURED, BATCHED}
    told = {status: [*answer["content"]] for status, answer in operation["responses"].items() if status < "3"}
    own = [receipt for kind in KINDS if (receipt := kind_of(kind).receipt) is not None]
    assert told == {"202": ["application/json"]} | {
        str(receipt.status): [receipt.content_type.partition(";")[0]] for receipt in own
    }


def test_an_event_names_every_kind_of_record_with_its_fields() -> None:
    event = deliveries.EVENT["properties"]
    told = dict(line.removeprefix("- ").split(": ") for line in event["fields"]["description"].splitlines()[2:])

    assert event["record"]["examples"] == [*FIELDS]
    assert told == {f"`{kind}`": ", ".join(f"`{name}`" for name in fields) for kind, fields in FIELDS.items()}
