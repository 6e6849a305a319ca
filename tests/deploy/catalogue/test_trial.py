"""Examples of metrics: those that are shipped come out, and a written number agrees with a value or does not."""

import pytest

from deploy.catalogue.trial import Trial, agrees
from deploy.verification import definitions
from schemas.catalogue.reading import read_metrics, shipped
from schemas.documents.text import read_document
from tests.builders import make_config

KINDS = {"leading", "lagging"}
SORTS = {"efficiency", "effectiveness"}


@pytest.fixture(scope="module")
def trial() -> Trial:
    """The shipped metrics, in a currency without digits after the point."""
    return Trial(shipped(), "JPY", definitions.shipped())


@pytest.mark.parametrize("name", shipped().metrics)
def test_the_examples_of_each_shipped_metric_come_out(trial: Trial, name: str) -> None:
    assert list(trial.wrong([name])) == []


def test_an_example_that_the_recount_has_otherwise_is_told() -> None:
    text = (
        "metrics:\n  all_calls:\n    unit: count\n    type: simple\n    from: call\n    at: dialed_at\n    agg: count\n"
        "    examples:\n      - {window: 2026-03-01/2026-03-31, is: 1, given: [{record: call, id: c, changed_at: "
        "'2026-03-02T10:00:00Z', fields: {direction: inbound, dialed_at: '2026-03-02T10:00:00Z'}}]}\n"
    )
    defined = read_metrics(text, "metrics.yaml", shipped()).defined
    same = definitions.with_own(read_document(text, "metrics.yaml").value)
    other = definitions.with_own(
        read_document(text.replace("agg: count", "agg: count\n    where: {direction: outbound}"), "m").value
    )

    assert list(Trial(defined, "USD", same).wrong(["all_calls"])) == []
    (wrong,) = Trial(defined, "USD", other).wrong(["all_calls"])
    assert wrong.reason.startswith("is 1 by the stream, and 0 by the recount")


@pytest.mark.parametrize("name", shipped().metrics)
def test_each_shipped_metric_says_what_it_is(name: str) -> None:
    entry = shipped().metrics[name]

    assert len(KINDS & {*entry.tags}) == 1
    assert len(SORTS & {*entry.tags}) == 1
    assert {*entry.tags} <= KINDS | SORTS | {"activity"}
    assert entry.examples
    assert entry.description.endswith(".")
    assert entry.description != f"{entry.label}."


def test_no_two_shipped_metrics_have_one_label() -> None:
    labels = [entry.label for entry in shipped().metrics.values()]

    assert len({*labels}) == len(labels)


def test_a_metric_of_ones_own_is_tried_with_all_that_the_file_defines() -> None:
    text = (
        "metrics:\n"
        "  calls_made: {unit: count, type: simple, from: call, at: dialed_at, credit: rep, agg: count}\n"
        "  twice:\n    unit: number\n    type: derived\n    expr: calls_made * 2\n    examples:\n"
        "      - {window: 2026-03-01/2026-03-31, is: 2, given: [{record: call, id: c, changed_at: "
        "'2026-03-02T10:00:00Z', fields: {direction: inbound, dialed_at: '2026-03-02T10:00:00Z'}}]}\n"
    )
    read = read_metrics(text, "metrics.yaml", shipped())

    assert read.problems == []
    assert list(Trial(read.defined, "USD").wrong(["twice"])) == []
    assert [wrong.reason for wrong in Trial(make_config(defines=text.replace("is: 2", "is: 1")).defined, "USD").wrong(
        ["twice"]
    )] == ["is 2.0, not 1"]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "cold", "unfollowed"),
    [("", 0, 0), ("cold_sources: [bought]\n", 1, 0), ("quiet_after: 12h\n", 0, 1)],
    ids=["nothing", "a cold source", "a shorter time"],
)
def test_what_the_file_says_of_sources_and_follow_up_decides(said: str, cold: int, unfollowed: int) -> None:
    lead = (
        "{record: lead, id: l, changed_at: '2026-03-01T08:00:00Z', fields: {rep: r1, source: bought, "
        "received_at: '2026-03-01T08:00:00Z'}}"
    )
    call = (
        "{record: call, id: c, changed_at: '2026-03-01T09:00:00Z', fields: {rep: r1, lead: l, direction: outbound, "
        "dialed_at: '2026-03-01T09:00:00Z'}}"
    )
    deal = (
        "{record: deal, id: d, changed_at: '2026-03-02T09:00:00Z', fields: {rep: r1, lead: l, status: lost, "
        "closed_at: '2026-03-02T09:00:00Z'}}"
    )
    counted = "unit: count, type: simple, credit: rep, agg: count"
    example = f"examples: [{{window: 2026-03-01/2026-03-31, given: [{lead}, {call}, {deal}], is: NUMBER}}]"
    text = (
        f"{said}metrics:\n"
        f"  a: {{{counted}, from: lead.touches, where: {{cold: true}}, at: at, "
        f"{example.replace('NUMBER', str(cold))}}}\n"
        f"  b: {{{counted}, from: lead.deals, where: {{followed: false}}, at: closed_at, "
        f"{example.replace('NUMBER', str(unfollowed))}}}\n"
    )
    read = read_metrics(text, "metrics.yaml", shipped())

    assert read.problems == []
    assert list(Trial(read.defined, "USD").wrong(["a", "b"])) == []


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (None, None), ("3", 3), ("3", 3.0), ("0.5", 0.5), ("1/3", 1 / 3), ("0.333", 1 / 3), ("2.667", 8 / 3),
        ("1250", "1250.00"), ("-20.5", "-20.50"), ("0", 0),
    ],
)  # fmt: skip
def test_a_number_agrees(written: str | None, value: float | str | None) -> None:
    assert agrees(written, value)


@pytest.mark.parametrize(
    ("written", "value"),
    [(None, 0), ("0", None), ("3", 4), ("0.33", 1 / 3), ("0.334", 1 / 3), ("1/3", 0.3333), ("1250", "1250.01")],
)
def test_a_number_does_not(written: str | None, value: float | str | None) -> None:
    assert not agrees(written, value)


_CALLS = (
    "[{record: call, id: c, changed_at: '2026-03-02T10:00:00Z', fields: {rep: r, direction: outbound, outcome:"
    " connected, dialed_at: '2026-03-02T10:00:00Z', talk_seconds: 90}}]"
)
_TALK = "from: call, at: dialed_at, credit: rep, agg: sum, value: talk"


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        (f"unit: number, type: simple, {_TALK}", "90"),
        (f"unit: count, type: simple, {_TALK}", "90"),
        (f"unit: seconds, type: simple, {_TALK}", "90"),
        (f"unit: days, type: simple, {_TALK}", "1/960"),
        (f"unit: seconds, type: ratio, numerator: {{{_TALK}}}, denominator: calls_made", "90"),
        (f"unit: ratio, type: ratio, numerator: {{{_TALK}}}, denominator: talk_seconds", "1"),
        ("unit: count, type: level, from: call, start: dialed_at, credit: rep, agg: sum, value: talk", "90"),
    ],
)
def test_times_that_are_added_up_are_in_seconds_unless_days_are_said(entry: str, value: str) -> None:
    example = f"{{window: 2026-03-02/2026-03-02, rep: r, is: {value}, given: {_CALLS}}}"
    text = f"metrics:\n  a: {{{entry}, examples: [{example}]}}\n"
    read = read_metrics(text, "metrics.yaml", shipped())
    trial = Trial(read.defined, "USD", definitions.with_own(read_document(text, "metrics.yaml").value))

    assert read.problems == []
    assert list(trial.wrong(["a"])) == []


@pytest.mark.parametrize(("stat", "value"), [("mean", "1/24"), ("p50", "1/24"), ("p90", "1/24")])
def test_the_time_to_an_answer_may_be_said_in_days(stat: str, value: str) -> None:
    given = (
        "[{record: lead, id: l, changed_at: '2026-03-02T08:00:00Z', fields: {received_at: '2026-03-02T09:00:00Z'}}, "
        + _CALLS.removeprefix("[").replace("rep: r, ", "rep: r, lead: l, ")
    )
    example = f"{{window: 2026-03-02/2026-03-02, is: {value}, given: {given}}}"
    text = f"metrics:\n  a: {{unit: days, type: response, stat: {stat}, examples: [{example}]}}\n"
    read = read_metrics(text, "metrics.yaml", shipped())
    trial = Trial(read.defined, "USD", definitions.with_own(read_document(text, "metrics.yaml").value))

    assert read.problems == []
    assert list(trial.wrong(["a"])) == []


def test_whether_a_meeting_has_people_can_be_asked() -> None:
    text = (
        "metrics:\n  a:\n    {unit: count, type: simple, from: meeting, where: {people: {is_set: true}}, at: starts_at,"
        " agg: count,\n     examples: [{window: 2026-03-02/2026-03-02, is: 2, given: ["
        + ", ".join(
            f"{{record: meeting, id: m{id}, changed_at: '2026-03-02T10:00:00Z', fields: {{{said}starts_at:"
            " '2026-03-02T10:00:00Z'}}"
            for id, said in enumerate(["", "rep: r, ", "attendees: [s], "])
        )
        + "]}]}\n"
    )
    read = read_metrics(text, "metrics.yaml", shipped())
    trial = Trial(read.defined, "USD", definitions.with_own(read_document(text, "metrics.yaml").value))

    assert read.problems == []
    assert list(trial.wrong(["a"])) == []
