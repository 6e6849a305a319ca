"""CloudEvents around events of kind `generic`."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from schemas.connectors.base import ContentTypeError
from schemas.connectors.cloud_events import decode_header, open_body
from tests.schemas.connectors.cases import CALL, GENERIC, NOW, dump, fixture, parse

STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}
BATCHED = {"content-type": "application/cloudevents-batch+json"}
BINARY = fixture("cloudevents/binary.json")["headers"]
ENVELOPE = {
    "specversion": "1.0",
    "id": "A234-1234-1234",
    "source": "/crm/example",
    "type": "com.example.sales.call",
    "datacontenttype": "application/json",
    "data": CALL,
}


def _ids(body: Any, headers: dict[str, str]) -> list[str]:
    parsed = parse(GENERIC.connector(), body, headers=headers)
    assert parsed.problems == []
    return [change.id for change in parsed.changes]


def test_the_data_of_a_binary_event_is_its_body() -> None:
    assert _ids(CALL, BINARY) == ["c-1017"]
    assert _ids([CALL, CALL | {"id": "c-2"}], BINARY) == ["c-1017", "c-2"]


def test_the_data_of_a_structured_event_is_one_event_or_many() -> None:
    assert _ids(ENVELOPE, STRUCTURED) == ["c-1017"]
    assert _ids(ENVELOPE | {"data": [CALL, CALL | {"id": "c-2"}]}, STRUCTURED) == ["c-1017", "c-2"]


def test_data_may_come_in_base64() -> None:
    envelope = {name: value for name, value in ENVELOPE.items() if name != "data"}
    envelope["data_base64"] = base64.b64encode(dump(CALL)).decode()

    assert _ids(envelope, STRUCTURED) == ["c-1017"]
    assert _ids([envelope, ENVELOPE], BATCHED) == ["c-1017", "c-1017"]


def test_a_batch_may_be_empty() -> None:
    assert _ids([], BATCHED) == []


def test_events_are_the_same_in_every_mode() -> None:
    plain = parse(GENERIC.connector(), CALL).changes

    for body, headers in ((CALL, BINARY), (ENVELOPE, STRUCTURED), ([ENVELOPE], BATCHED)):
        assert parse(GENERIC.connector(), body, headers=headers).changes == plain


@pytest.mark.parametrize(
    ("body", "headers", "data"),
    [
        (fixture("cloudevents/binary.json")["body"], BINARY, [fixture("cloudevents/binary.json")["body"]]),
        (fixture("cloudevents/structured.json"), STRUCTURED, [fixture("cloudevents/structured.json")["data"]]),
        (
            fixture("cloudevents/batched.json"),
            BATCHED,
            [*(event["data"] for event in fixture("cloudevents/batched.json")[:2]), {"owner_id": "910901"}],
        ),
    ],
    ids=["binary", "structured", "batched"],
)
def test_fixtures_are_opened(body: Any, headers: dict[str, str], data: list[Any]) -> None:
    assert open_body(headers, dump(body)) == data


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type", "data"])
def test_an_envelope_without_a_required_member_is_a_problem_that_names_it(name: str) -> None:
    envelope = {other: value for other, value in ENVELOPE.items() if other != name}

    (problem,) = parse(GENERIC.connector(), [ENVELOPE, envelope], headers=BATCHED).problems

    assert (problem.reason, problem.index) == ("bad_shape", 1)
    assert problem.detail.startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"ce-id": ""}, "ce-id"),
        ({"ce-type": ""}, "ce-type"),
        ({"ce-specversion": "0.3"}, "ce-specversion"),
        ({"ce-subject": "%FF%FE"}, "ce-subject"),
    ],
    ids=str,
)
def test_bad_headers_of_a_binary_event_are_a_problem_that_names_them(headers: dict[str, str], named: str) -> None:
    (problem,) = parse(GENERIC.connector(), CALL, headers=BINARY | headers).problems

    assert problem.reason == "bad_shape"
    assert problem.detail.startswith(f"{named}: ")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"specversion": "2.0"}, "bad_shape"),
        ({"id": 7}, "bad_shape"),
        ({"data": "text"}, "bad_shape"),
        ({"data_base64": "e30="}, "bad_shape"),
    ],
    ids=["other version", "id not text", "data not an event", "both kinds of data"],
)
def test_a_bad_envelope_is_a_problem(changed: dict[str, Any], reason: str) -> None:
    parsed = parse(GENERIC.connector(), ENVELOPE | changed, headers=STRUCTURED)

    assert [problem.reason for problem in parsed.problems] == [reason]


@pytest.mark.parametrize(("text", "reason"), [("%%", "bad_shape"), ("bm90IGpzb24=", "not_json"), (5, "bad_shape")])
def test_base64_that_holds_no_event_is_a_problem(text: Any, reason: str) -> None:
    envelope = {name: value for name, value in ENVELOPE.items() if name != "data"} | {"data_base64": text}

    (problem,) = parse(GENERIC.connector(), envelope, headers=STRUCTURED).problems

    assert (problem.reason, problem.index) == (reason, 0)
    assert problem.detail.startswith("data_base64: ")


@pytest.mark.parametrize("body", [{}, 5, "text"])
def test_a_batch_that_is_no_array_is_a_problem(body: Any) -> None:
    assert [problem.reason for problem in parse(GENERIC.connector(), body, headers=BATCHED).problems] == ["bad_shape"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("%e2%82%ac", "€"),
        ("100%", "100%"),
        ('"a \\"quoted\\" \\\\ value"', 'a "quoted" \\ value'),
        ('"%22"', '"'),
    ],
)
def test_header_values_are_decoded(value: str, text: str) -> None:
    assert decode_header(value) == text


@pytest.mark.parametrize("value", ["%FF", "%C0%80", "%ED%A0%80", "\ud800"])
def test_header_values_that_are_not_utf_8_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="UTF-8"):
        decode_header(value)


@pytest.mark.parametrize("content_type", [STRUCTURED["content-type"], BATCHED["content-type"]])
def test_envelopes_are_signed_like_any_body(content_type: str) -> None:
    request = GENERIC.request()

    GENERIC.connector().verify(replace(request, headers={**request.headers, "content-type": content_type}), NOW)


@pytest.mark.parametrize("content_type", ["application/cloudevents+avro", "application/cloudevents"])
def test_other_formats_of_envelopes_are_refused(content_type: str) -> None:
    request = GENERIC.request()

    with pytest.raises(ContentTypeError):
        GENERIC.connector().verify(replace(request, headers={**request.headers, "content-type": content_type}), NOW)


def test_an_envelope_that_is_no_json_loses_no_other_of_its_batch() -> None:
    envelopes = [
        {"specversion": "1.0", "id": id, "source": "s", "type": "t", "data": {**CALL, "id": id}}
        for id in ("a", "b", "c")
    ]
    body = dump(envelopes).replace(b'"id": "b", "source"', b'"id": \'b\', "source"')

    parsed = parse(GENERIC.connector(), body, headers={"content-type": "application/cloudevents-batch+json"})

    assert [change.id for change in parsed.changes] == ["a", "c"]
    assert [(problem.reason, problem.index) for problem in parsed.problems] == [("not_json", 1)]
