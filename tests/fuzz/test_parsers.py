"""Differential fuzz of the parsers: any bytes give changes or dead letters, and both ways to read an event agree.

How many examples are tried is said by the profile of hypothesis in use (tests/conftest.py).
"""

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from schemas.config import ConfigError, parse_config
from schemas.connectors.json_text import NotJsonError, read_json
from schemas.deliveries import Delivery
from schemas.instants import parse_duration, parse_instant
from tests.fuzz.deliveries import INSTANTS, TOKENS, bodies, damaged
from tests.fuzz.reading import CONNECTORS, JSON_TYPE, check_both_ways, check_delivery
from tests.schemas.connectors.cases import CASES, dump
from tests.strategies import NOW

CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
_HUBSPOT = next(case for case in CASES if case.kind == "hubspot")
_SEEDS = [dump(case.good) for case in CASES]
_ENVELOPE = {"specversion": "1.0", "id": "1", "source": "s", "type": "t"}


@st.composite
def _damaged_bodies(draw: st.DrawFn) -> bytes:
    raw = draw(bodies() | st.sampled_from(_SEEDS))
    for _ in range(draw(st.integers(0, 3))):
        raw = draw(damaged(raw))
    return raw


@CALM
@given(
    _damaged_bodies() | st.binary(max_size=60), st.sampled_from(["feed", "other"]), st.integers(NOW - 2 * 10**11, NOW)
)
@example(b'{"record":"call","record":"lead","id":"c","changed_at":"2026-03-18T16:41:30Z","fields":{}}', "feed", NOW)
@example(b'{"id":"c","id":"d","record":"call","changed_at":"2026-03-18T16:41:30Z","fields":{"rep":"r"}}', "feed", NOW)
@example(b'{"record":"call","id":"c","changed_at":"2026-03-18T16:41:30.9999999Z","fields":{"rep":"r"}}', "feed", NOW)
@example(
    b'{"record":"call","id":"c","changed_at":"2026-03-18T16:41:30\\u002e123456\\u0039Z","deleted":true}', "feed", NOW
)
@example(b'{"record":"call","id":"c","changed_at":"2026-03-18T16:41:30.123456\\u0039Z","deleted":true}', "feed", NOW)
@example(b'{"record":"call","id":"c","changed_at":"1901-12-13T20:45:51.999999Z","deleted":true}', "feed", NOW)
@example(
    b'{"record":"lead","id":"l","changed_at":"2026-03-18T16:41:30Z","fields":{"attributes":{"a":1e3}}}', "feed", NOW
)
@example(
    b'{"record":"lead","id":"l","changed_at":"2026-03-18T16:41:30Z","fields":{"attributes":{"b":1,"a":null}}}',
    "feed",
    NOW,
)
def test_the_fast_path_says_what_the_careful_reader_says(body: bytes, connection: str, received_at: int) -> None:
    check_both_ways(body, connection, received_at)


@CALM
@given(
    st.builds(
        Delivery,
        st.sampled_from(sorted(CONNECTORS)),
        st.integers(NOW - 2 * 10**11, NOW),
        st.sampled_from(
            [
                JSON_TYPE,
                {"content-type": "application/cloudevents+json"},
                {"content-type": "application/cloudevents-batch+json"},
                JSON_TYPE | {f"ce-{name}": value for name, value in _ENVELOPE.items()},
                JSON_TYPE | {"ce-specversion": "%ff", "ce-id": '"'},
                {},
            ]
        ),
        _damaged_bodies() | st.binary(max_size=60),
    )
)
def test_any_delivery_gives_changes_or_dead_letters(delivery: Delivery) -> None:
    check_delivery(delivery)


@CALM
@given(st.sampled_from(_HUBSPOT.good), st.data())
def test_any_event_of_hubspot_gives_changes_or_dead_letters(event: dict[str, Any], data: st.DataObject) -> None:
    raw = dump([event])
    for _ in range(data.draw(st.integers(1, 4))):
        raw = data.draw(damaged(raw))
    check_delivery(Delivery("hub", NOW, JSON_TYPE, raw))


def _good(connection: str, number: int) -> bytes:
    if connection == "hub":
        return json.dumps({**_HUBSPOT.good[0], "objectId": 900 + number}).encode()
    return b'{"record":"rep","id":"good-%d","changed_at":"2026-03-18T16:41:30Z","fields":{"name":"A"}}' % number


def _bad(connection: str, value: bytes) -> bytes:
    if connection == "hub":
        event = {key: value for key, value in _HUBSPOT.good[0].items() if key != "propertyValue"}
        return json.dumps(event | {"propertyName": "amount"}).encode()[:-1] + b', "propertyValue": %s}' % value
    return b'{"record":"deal","id":"bad","changed_at":"2026-03-18T16:41:30Z","fields":{"name":1,"amount":%s}}' % value


_WRONG = [b'"\\ud83d"', b'"Ana \xf0\x9f"', b"1e400", b"-1e400", b"NaN", b"Infinity", b'"\xff"', b'"\\ude00\\ud83d"']


@pytest.mark.parametrize("connection", sorted(CONNECTORS))
@pytest.mark.parametrize("wrong", _WRONG, ids=repr)
def test_one_bad_value_loses_no_other_event(connection: str, wrong: bytes) -> None:
    body = b"[" + b",".join([_good(connection, 1), _bad(connection, wrong), _good(connection, 2)]) + b"]"

    parsed = check_delivery(Delivery(connection, NOW, JSON_TYPE, body))

    assert len(parsed.changes) == 2 * len(
        CONNECTORS[connection].parse(Delivery("", NOW, JSON_TYPE, _good(connection, 1))).changes
    )
    assert [(problem.reason, problem.index) for problem in parsed.problems] == [("bad_field", 1)]


@pytest.mark.parametrize("wrong", _WRONG, ids=repr)
def test_one_bad_value_loses_no_other_event_of_a_batch_of_envelopes(wrong: bytes) -> None:
    envelope = json.dumps(_ENVELOPE).encode()[:-1]
    events = [
        envelope + b', "data": %s}' % _good("feed", 1),
        envelope + b', "data": %s}' % _bad("feed", wrong),
        envelope + b', "data_base64": "%s"}' % base64.b64encode(_bad("feed", wrong)),
        envelope + b', "subject": %s, "data": %s}' % (wrong, _good("feed", 2)),
    ]
    headers = {"content-type": "application/cloudevents-batch+json"}

    parsed = check_delivery(Delivery("feed", NOW, headers, b"[" + b",".join(events) + b"]"))

    assert [change.id for change in parsed.changes] == ["good-1", "good-2"]
    assert [(problem.reason, problem.index) for problem in parsed.problems] == [("bad_field", 1), ("bad_field", 2)]


@CALM
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), st.lists))
def test_what_is_read_again_is_read_alike(value: Any) -> None:
    """A sound part of a body means the same whether another part of the body is sound or not."""
    text = json.dumps(value).encode()
    try:
        alone = read_json(text)
    except NotJsonError:
        return
    assert repr(read_json(b"[NaN," + text + b"]")[1]) == repr(alone)


@CALM
@given(
    st.text(max_size=40)
    | st.sampled_from(INSTANTS)
    .flatmap(lambda text: damaged(text.encode()))
    .map(lambda raw: raw.decode(errors="replace"))
)
def test_an_instant_or_duration_is_read_or_refused(text: str) -> None:
    for read in (parse_instant, parse_duration):
        with suppress(ValueError):
            assert isinstance(read(text), int)


_FILE = b"""\
organisation: {name: Acme, timezone: Europe/Oslo, currency: NOK}
connections:
  feed: {kind: generic, secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}
teams: {no: {name: "Norway", calendar: c}, se: {}}
calendars: {c: {timezone: UTC, hours: {mon-fri: ["09:00-18:00"]}, holidays: {country: NO, extra: [2026-12-24]}}}
reps:
  0123: {name: Kari Ek, team: se, aliases: {feed: ["1"]}}
lead_response: {warn_at: 0.7, rules: [{when: {team: no}, sla: 5m}, {sla: 1h, clock: business}]}
alerts:
  channels: {floor: {kind: slack, url: "https://x.example"}}
  thresholds: {few: {metric: calls_made, per: rep, below: 10, at: 11:00}}
"""


@CALM
@given(st.data())
def test_any_file_is_a_configuration_or_an_error(data: st.DataObject) -> None:
    raw = _FILE
    for _ in range(data.draw(st.integers(1, 4))):
        raw = data.draw(damaged(raw))
    problems = ["floorcast.yaml"]
    try:
        parse_config(raw.decode(errors="replace"), {"A": "b"})
    except ConfigError as error:
        problems = error.problems
    assert problems
    assert all(problem.startswith("floorcast.yaml") and "\n" not in problem for problem in problems)


@pytest.mark.parametrize("token", TOKENS, ids=repr)
def test_every_token_in_every_place_of_an_event(token: bytes) -> None:
    for seed in (_good("feed", 1), _good("hub", 1)):
        for at in range(len(seed)):
            body = seed[:at] + token + seed[at:]
            check_both_ways(body, "feed", NOW)
            CONNECTORS["hub"].parse(Delivery("hub", NOW, JSON_TYPE, body))
