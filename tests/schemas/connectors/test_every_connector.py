"""The cases that each kind of connection must pass."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.normalise import parse_delivery
from schemas.connectors import KINDS, kind_of
from schemas.connectors.base import MAX_EVENTS, ContentTypeError, SignatureError
from schemas.deliveries import Delivery
from schemas.instants import DAY, MINUTE, SECOND
from schemas.records import RecordChange, fold_all
from tests.schemas.connectors.cases import CASES, NOW, ConnectorCase, dump, parse

each = pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
timed = pytest.mark.parametrize("case", [case for case in CASES if case.proves_time], ids=lambda case: case.kind)
json_posted = pytest.mark.parametrize(
    "case", [case for case in CASES if case.media == "application/json"], ids=lambda case: case.kind
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def test_every_kind_of_the_registry_has_its_case_here() -> None:
    assert {case.kind for case in CASES} == {kind for kind in KINDS if kind_of(kind).takes_webhooks}


@each
def test_a_good_signature_is_taken(case: ConnectorCase) -> None:
    case.connector().verify(case.request(), NOW)


@timed
@pytest.mark.parametrize("off", [-5 * MINUTE, 5 * MINUTE], ids=["five minutes late", "five minutes early"])
def test_a_clock_may_be_five_minutes_off(case: ConnectorCase, off: int) -> None:
    case.connector().verify(case.request(at=NOW + off), NOW)


@timed
@pytest.mark.parametrize("off", [-5 * MINUTE - SECOND, 5 * MINUTE + SECOND, -DAY, DAY])
def test_a_stale_or_future_request_is_refused(case: ConnectorCase, off: int) -> None:
    with pytest.raises(SignatureError):
        case.connector().verify(case.request(at=NOW + off), NOW)


@each
def test_another_secret_is_refused_and_not_repeated(case: ConnectorCase) -> None:
    with pytest.raises(SignatureError) as refusal:
        case.connector().verify(case.request(secret=case.secrets[1]), NOW)

    assert not any(secret in str(refusal.value) for secret in case.secrets)


@each
def test_both_secrets_are_taken_while_they_are_rotated(case: ConnectorCase) -> None:
    connector = case.connector(case.secrets)

    for secret in case.secrets:
        connector.verify(case.request(secret=secret), NOW)


@each
def test_a_tampered_body_is_refused(case: ConnectorCase) -> None:
    with pytest.raises(SignatureError):
        case.connector().verify(case.unproven(case.request()), NOW)


@each
def test_a_request_without_any_one_of_its_signature_headers_is_refused(case: ConnectorCase) -> None:
    request = case.request()
    needed = [name for name in request.headers if name.startswith("webhook-")]
    needed += [name for name in request.headers if name.startswith("close-sig-")]
    needed += [name for name in request.headers if name in {"x-hubspot-request-timestamp"}]
    for name in needed:
        rest = {other: value for other, value in request.headers.items() if other != name}
        with pytest.raises(SignatureError, match=name):
            case.connector().verify(replace(request, headers=rest), NOW)
    with pytest.raises(SignatureError):
        case.connector().verify(replace(case.unproven(request), headers={"content-type": "application/json"}), NOW)


@each
@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json, text/plain"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-encoding": "gzip"},
    ],
    ids=lambda headers: " ".join(headers.values()),
)
def test_another_content_type_is_refused(case: ConnectorCase, headers: dict[str, str]) -> None:
    request = case.request()

    with pytest.raises(ContentTypeError, match=next(iter(headers))):
        case.connector().verify(replace(request, headers={**request.headers, **headers}), NOW)


@json_posted
@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/json; charset=utf-8"},
        {"content-type": 'Application/JSON; foo=bar; charset="UTF-8"'},
        {"content-encoding": "identity"},
        {"content-type": ""},
    ],
    ids=lambda headers: " ".join(headers.values()),
)
def test_json_is_taken_however_it_is_named(case: ConnectorCase, headers: dict[str, str]) -> None:
    request = case.request()

    case.connector().verify(replace(request, headers={**request.headers, **headers}), NOW)


@each
def test_a_bad_signature_is_said_before_a_wrong_content_type(case: ConnectorCase) -> None:
    request = case.unproven(case.request())
    headers = {**request.headers, "content-type": "text/plain"}

    with pytest.raises(SignatureError):
        case.connector().verify(replace(request, headers=headers), NOW)


@each
@given(header=st.text(max_size=40))
def test_verify_raises_nothing_else_whatever_the_headers_hold(case: ConnectorCase, header: str) -> None:
    request = case.request()
    for name in request.headers:
        with suppress(SignatureError, ContentTypeError):
            case.connector().verify(replace(request, headers={**request.headers, name: header}), NOW)


@each
def test_a_redelivery_gives_equal_changes(case: ConnectorCase) -> None:
    connector = case.connector()
    first, again = parse(connector, case.good), parse(connector, case.redelivered, received_at=NOW + DAY)

    assert first.changes
    assert [(change.id, change.version) for change in first.changes] == [
        (change.id, change.version) for change in again.changes
    ]


@each
def test_an_unknown_type_is_ignored_and_counted(case: ConnectorCase) -> None:
    parsed = parse(case.connector(), [case.unknown, *case.good])

    assert parsed.ignored[case.unknown_reason] == 1
    assert parsed.changes
    assert not parsed.problems


@each
def test_one_bad_event_does_not_spoil_the_others(case: ConnectorCase) -> None:
    parsed = parse(case.connector(), [*case.good, 17, *case.good])

    assert len(parsed.changes) == 2 * len(parse(case.connector(), case.good).changes)
    assert [(problem.reason, problem.index) for problem in parsed.problems] == [("bad_shape", 1)]


NO_VALUE = [
    b'"\\ud83d"', b'"Ana \xf0\x9f"', b'"\xff"', b"1e400", b"-1e400", b"NaN", b"Infinity", b"1" + b"0" * 400,
    b"[" * 150 + b"]" * 150, b'{"a": 1, "a": 2}',
]  # fmt: skip


def places_in(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each member that holds no others."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places_in(inner, (*before, key))
    else:
        yield before


def with_another(event: Any, place: tuple[Any, ...], value: Any) -> Any:
    """A copy in which that member is another one."""
    copy = json.loads(json.dumps(event))
    holder = copy
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    return copy


@each
@pytest.mark.parametrize("wrong", NO_VALUE, ids=lambda wrong: repr(wrong[:12]))
def test_a_value_that_is_none_costs_no_other_event_wherever_it_stands(case: ConnectorCase, wrong: bytes) -> None:
    connector = case.connector()
    good = [dump(event) for event in case.good]
    sound = parse(connector, case.good).changes
    for place in places_in(case.good[0]):
        odd = dump(with_another(case.good[0], place, "@@")).replace(b'"@@"', wrong)

        parsed = parse(connector, b"[" + b",".join([*good, odd, *good]) + b"]")

        assert parsed.changes[: len(sound)] == parsed.changes[-len(sound) :] == sound
        assert {problem.index for problem in parsed.problems} <= {len(good)}
        assert all(problem.reason in {"bad_shape", "bad_field"} for problem in parsed.problems)


TWICE: dict[str, tuple[tuple[Any, ...], tuple[Any, Any], str]] = {
    "generic": (("fields", "rep"), ("r-1", "r-2"), "rep"),
    "hubspot": (("propertyValue",), ("appointmentscheduled", "contractsent"), "stage"),
    "close": (("event", "data", "value"), (100, 200), "amount"),
    "aircall": (("data", "user", "id"), (456123, 456124), "rep"),
    "pipedrive": (("data", "title"), ("One", "Two"), "name"),
    "salesforce": (("payload", "Amount"), (100.0, 200.0), "amount"),
    "zoho": (("affected_values", 0, "values", "Amount"), (100, 200), "amount"),
}
"""What an event says twice within one instant: where, as what, and which field of ours it is."""


@each
@pytest.mark.parametrize("is_turned", [False, True])
def test_of_two_changes_of_one_instant_in_one_delivery_the_later_one_stays(
    case: ConnectorCase, is_turned: bool
) -> None:
    place, values, field = TWICE[case.kind]
    words = list(reversed(values)) if is_turned else list(values)
    body = dump([with_another(case.good[0], place, word) for word in words])
    connectors = {case.kind: case.connector()}

    def said(received_at: int) -> list[RecordChange]:
        delivery = Delivery(case.kind, received_at, {"content-type": "application/json"}, body)
        return parse_delivery(delivery, connectors).changes

    (alone,) = {
        change.fields[field]
        for change in parse(case.connector(), [with_another(case.good[0], place, words[-1])]).changes
        if change.fields.get(field) is not None
    }
    changes = [*said(NOW), *said(NOW + DAY)]
    for order in (changes, changes[::-1]):
        kind = order[0].kind
        assert fold_all(kind, [change for change in order if change.kind == kind]).get(field) == alone


@each
@pytest.mark.parametrize(
    "bad",
    [b"[" * 3000 + b"]" * 3000, b'"a\x01b"', b"'x'", b"012", b'"\\u12"', b"undefined", b"[1,]", b"/* , */ 1"],
    ids=["too deep", "control", "quotes", "zero", "escape", "word", "comma", "comment"],
)
def test_an_event_that_is_no_json_loses_no_other_of_its_array(case: ConnectorCase, bad: bytes) -> None:
    good = dump(case.good[0])
    body = b"[" + b",".join((good, good[:-1] + b', "more": ' + bad + b"}", good)) + b"]"

    parsed = parse(case.connector(), body)

    assert [(problem.reason, problem.index) for problem in parsed.problems] == [("not_json", 1)]
    assert parsed.changes == parse(case.connector(), [case.good[0]] * 2).changes


@each
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"[" * 5000, b'[{"a": 1}, {"a"', b"[{}]]", b"\xef\xbb\xbf[]"],
    ids=["empty", "cut", "not UTF-8", "too deep", "cut array", "closed twice", "byte order mark"],
)
def test_a_body_that_is_not_json_is_one_problem(case: ConnectorCase, body: bytes) -> None:
    parsed = parse(case.connector(), body)

    assert [problem.reason for problem in parsed.problems] == ["not_json"]
    assert not parsed.changes


@each
@pytest.mark.parametrize("body", [b"NaN", b"[1e999]", b'"\\ud800"'], ids=["NaN", "infinite", "half a surrogate pair"])
def test_what_is_no_value_of_ours_is_a_problem_of_its_event(case: ConnectorCase, body: bytes) -> None:
    parsed = parse(case.connector(), body)

    assert [(problem.reason, problem.index) for problem in parsed.problems] == [("bad_shape", 0)]
    assert not parsed.changes


@each
def test_a_body_of_junk_is_one_problem_however_long(case: ConnectorCase) -> None:
    parsed = parse(case.connector(), b"[" + b"1," * MAX_EVENTS + b"1]")

    assert [problem.reason for problem in parsed.problems] == ["bad_shape"]


@each
def test_a_namespace_stands_before_ids(case: ConnectorCase) -> None:
    changes = parse(case.connector(namespace="hs"), case.good).changes

    assert all(change.id.startswith("hs:") for change in changes)


@each
@given(body=st.binary(max_size=200))
def test_parse_never_raises_on_any_bytes(case: ConnectorCase, body: bytes) -> None:
    parse(case.connector(), body)


@each
@given(value=JSON)
def test_parse_never_raises_on_any_json(case: ConnectorCase, value: Any) -> None:
    parsed = parse(case.connector(), dump(value))

    assert all("\n" not in problem.detail for problem in parsed.problems)


@each
@given(data=st.data())
def test_parse_never_raises_on_good_events_with_any_member_replaced(case: ConnectorCase, data: st.DataObject) -> None:
    event = dict(data.draw(st.sampled_from([*case.good, case.unknown])))
    name = data.draw(st.sampled_from(sorted(event)))
    event[name] = data.draw(JSON)

    parsed = parse(case.connector(), [event])

    assert len(parsed.problems) <= 1


@each
def test_only_headers_that_are_read_are_kept(case: ConnectorCase) -> None:
    kept = case.connector().kept_headers

    assert "content-type" in kept
    assert not kept & {"authorization", "cookie", "webhook-signature", "x-hubspot-signature", "x-hubspot-signature-v3"}
    case.connector().parse(Delivery("feed", NOW, {}, dump(case.good)))
