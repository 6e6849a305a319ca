"""The user's `metrics.yaml`: what it puts on top of the shipped metrics, and how its faults are named."""

from functools import cached_property
from pathlib import Path

import pytest

from schemas.catalogue.defined import bound_under
from schemas.catalogue.reading import MAX_OWN, ReadDefinitions, read_metrics, shipped
from schemas.catalogue.rules import Rules
from schemas.config import Config, ConfigError, load_config
from schemas.config.rules import rules_of
from schemas.definitions import definitions_digest
from schemas.instants import DAY

CONFIG = """\
organisation: {name: Acme, timezone: UTC, currency: USD}
connections:
  feed: {kind: generic, secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}
"""
HELD = "type: simple, from: meeting, where: {outcome: held}, at: starts_at, credit: rep, agg: count"
DEMOS = """\
metrics:
  demos:
    label: Demos
    description: Meetings of kind demo that were held, for the host, at their start.
    unit: count
    owner: revops
    tags: [activity, leading]
    type: simple
    from: meeting
    where: {kind: demo, outcome: held}
    at: starts_at
    credit: rep
    agg: count
    examples:
      - given: [{record: meeting, id: m1, changed_at: "2026-03-02T10:00:00Z", fields: {rep: r1}}]
        window: 2026-03-02/2026-03-02
        rep: r1
        is: 1
"""


def read(text: str) -> ReadDefinitions:
    return read_metrics(text, "metrics.yaml", shipped())


def loaded(folder: Path, metrics: str | None = DEMOS, config: str = CONFIG, name: str = "metrics.yaml") -> Config:
    (folder / "floorcast.yaml").write_text(config)
    if metrics is not None:
        (folder / name).write_text(metrics)
    return load_config(folder / "floorcast.yaml", {})


class TestOnTopOfTheShippedOne:
    def test_a_metric_of_ones_own_stands_beside_the_shipped_ones(self, tmp_path: Path) -> None:
        config = loaded(tmp_path)

        assert [*config.catalogue] == [*shipped().metrics, "demos"]
        assert config.defined.own == {"demos"}
        entry = config.catalogue["demos"]
        assert (entry.label, entry.owner, entry.tags, len(entry.examples)) == (
            "Demos", "revops", ["activity", "leading"], 1,
        )  # fmt: skip

    def test_without_a_file_there_is_what_is_shipped(self, tmp_path: Path) -> None:
        assert loaded(tmp_path, None).catalogue == shipped().metrics

    @pytest.mark.parametrize("text", ["", "metrics:\n", "# nothing yet\n"])
    def test_an_empty_file_defines_nothing(self, text: str) -> None:
        found = read(text)

        assert (found.problems, found.defined.metrics) == ([], shipped().metrics)

    def test_the_file_may_have_another_name(self, tmp_path: Path) -> None:
        (tmp_path / "numbers").mkdir()

        named = loaded(tmp_path, config=CONFIG + "metrics: numbers/ours.yaml\n", name="numbers/ours.yaml")

        assert "demos" in named.catalogue

    def test_an_entry_replaces_the_shipped_one_of_its_name(self) -> None:
        found = read(f"metrics:\n  meetings_held: {{unit: count, {HELD.replace('rep', '[booked_by, rep]')}}}")

        assert found.problems == []
        assert found.defined.metrics["meetings_held"] != shipped().metrics["meetings_held"]
        assert [*found.defined.metrics] == [*shipped().metrics]

    def test_one_that_is_switched_off_is_gone(self) -> None:
        found = read("metrics: {talk_seconds: false}")

        assert found.problems == []
        assert [*found.defined.metrics] == [name for name in shipped().metrics if name != "talk_seconds"]

    def test_one_that_says_nothing_of_itself_is_called_by_its_name(self) -> None:
        entry = read(f"metrics:\n  partner_demos: {{unit: count, {HELD}}}").defined.metrics["partner_demos"]

        assert (entry.label, entry.description) == ("Partner demos", "Partner demos.")

    def test_what_is_no_metric_is_defined_there_too(self) -> None:
        found = read(
            "cold_sources: [list_bought]\nquiet_after: 10d\n"
            "dimensions:\n  product: {of: deal.product, values: {Pro: [pro, p2], Basic: [basic]}, other: Other}\n"
        )

        assert found.problems == []
        assert (found.defined.cold_sources, found.defined.quiet_after) == (("list_bought",), 10 * DAY)
        assert found.defined.dimensions["product"].values == {"Pro": ["pro", "p2"], "Basic": ["basic"]}


class TestDigest:
    def test_a_metric_changes_it(self, tmp_path: Path) -> None:
        without = definitions_digest(loaded(tmp_path, None))
        with_one = definitions_digest(loaded(tmp_path))

        assert without != with_one
        assert definitions_digest(loaded(tmp_path, DEMOS.replace("kind: demo", "kind: call"))) not in {
            without,
            with_one,
        }

    @pytest.mark.parametrize(
        ("words", "others"),
        [
            ("label: Demos", "label: Shown"),
            ("owner: revops", "owner: sales"),
            ("tags: [activity, leading]", "tags: []"),
            ("        is: 1", "        is: 2"),
        ],
    )
    def test_words_do_not(self, tmp_path: Path, words: str, others: str) -> None:
        before = definitions_digest(loaded(tmp_path))

        assert definitions_digest(loaded(tmp_path, DEMOS.replace(words, others))) == before

    def test_the_name_of_the_file_does_not(self, tmp_path: Path) -> None:
        before = definitions_digest(loaded(tmp_path))

        assert definitions_digest(loaded(tmp_path, config=CONFIG + "metrics: ours.yaml\n", name="ours.yaml")) == before


FAULTS = {
    "metrics:\n  demos:\n    unit: count\n    type: simple\n    from: cal": [
        "2: metrics.demos.at: is missing",
        "2: metrics.demos.agg: is missing",
        "5: metrics.demos.from: there is no fact cal; did you mean 'call'?",
    ],
    "metrics:\n  demos: {unit: count, type: simple, from: meeting, at: begins_at, credit: host, agg: count,\n"
    "    where: {knd: demo, not: {outcme: held}}}": [
        "2: metrics.demos.at: meeting has no field begins_at; did you mean 'ends_at'?",
        "2: metrics.demos.credit: meeting has no field host; there are ",
        "3: metrics.demos.where.knd: meeting has no field knd; did you mean 'kind'?",
        "3: metrics.demos.where.not.outcme: meeting has no field outcme; did you mean 'outcome'?",
    ],
    "metrics:\n  a: {unit: number, type: derived, expr: b + 1}\n  b: {unit: number, type: derived, expr: a * 2}": [
        "2: metrics.a.expr: is made of itself: a of b of a",
    ],
    "metrics:\n  a: {unit: number, type: derived, expr: calls_made + revenue_won}": [
        "2: metrics.a.expr: adds a plain number and money, which is neither",
    ],
    "metrics:\n  a: {unit: ratio, type: ratio, numerator: revenue_won, denominator: calls_made}": [
        "2: metrics.a.unit: is ratio, but money divided by count is no share; use number, seconds, days or money",
    ],
    "metrics:\n  a: {unit: ratio, type: derived, expr: talk_seconds / calls_made}": [
        "2: metrics.a.unit: is ratio, but the formula gives seconds: a share has no unit",
    ],
    "metrics:\n  a: {unit: number, type: derived, expr: call_made + 1}": [
        "2: metrics.a.expr: there is no metric call_made; did you mean 'calls_made'?",
    ],
    f"metrics:\n  leads_waiting: {{unit: count, {HELD}}}": [
        "2: metrics.leads_waiting: in Prometheus this would be the series of floorcast_leads_waiting: "
        "give it another name",
    ],
    "metrics:\n  sales_cycle_seconds_p50:\n    {unit: seconds, type: duration, from: deal, start: created_at,\n"
    "     end: closed_at, stat: p50, credit: rep}": [
        "2: metrics.sales_cycle_seconds_p50: in Prometheus this would be the series of sales_cycle_days_p50: "
        "give it another name",
    ],
    f"metrics:\n  Demos-1: {{unit: count, {HELD}}}": [
        "2: metrics.Demos-1: 'Demos-1' is no name of a metric: it must be a small letter, and at most 63 small "
        "letters, digits and _ behind it",
    ],
    f"metrics:\n  calls_made: {{unit: number, {HELD}}}": [
        "2: metrics.calls_made.unit: number takes the place of the shipped calls_made, which is count and has to stay "
        "so; give yours another name",
    ],
    "metrics: {calls_mad: false}": [
        "1: metrics.calls_mad: there is no metric 'calls_mad' to switch off; did you mean 'calls_made'?",
    ],
    "metrics:\n  calls_connected: false": [
        "2: metrics.calls_connected: is switched off, but needed by connect_rate: switch these off too, or define them "
        "anew",
    ],
    "metrics:\n  talk_seconds: false\n  a: {unit: number, type: derived, expr: talk_seconds / 60}": [
        "3: metrics.a: is made of talk_seconds, which is switched off in line 2",
    ],
    "metrics: {a: 5}": ["1: metrics.a: must be an entry with type, unit and what else its type needs, or false"],
    "metrics: {a: {type: simpl}}": [
        "1: metrics.a.type: must be one of simple, ratio, derived, "
        "duration, conversion, funnel, level, response; did you mean 'simple'?",
    ],
    "metrics: {a: {unit: count}}": [
        "1: metrics.a.type: is missing: it must be one of simple, ratio, derived, "
        "duration, conversion, funnel, level, response",
    ],
    "metrcs: {}": [
        "1: metrcs: is not a setting here; did you mean 'metrics'?",
    ],
    "quiet_after: 14\ncold_sources: bought": [
        "1: quiet_after: must be a duration such as 30s, 5m, 1h or 2d: 14 has no unit; did you mean 14s?",
        "2: cold_sources: must be a list",
    ],
    "dimensions:\n  product: {of: deal.prodct, values: {A: [a], B: [a]}, other: A}\n  x: {of: product}": [
        "2: dimensions.product.of: deal has no field prodct; did you mean 'product'?",
        "2: dimensions.product.other: A is a value already",
        "2: dimensions.product.values.B: a stands for A already",
        "3: dimensions.x.of: product names no field of a fact or of rep, such as deal.product",
    ],
    "dimensions:\n  a: {of: deal.product, values: {A: pro}}\n  b: {of: deal.amount, values: {A: ['1']}}\n"
    "  c: {of: deal.size, bands: [5m]}\n  d: {of: rep.team}\n  team: {of: rep.region}\n"
    f"metrics:\n  m: {{unit: count, {HELD}, by: [a]}}": [
        "2: dimensions.a.values.A: must be a list",
        "3: dimensions.b.of: deal.amount is no text, so no value of it can be listed",
        "4: dimensions.c.bands: are for durations such as lead.response, and for rep.since: deal.size is neither",
        "5: dimensions.d.of: is the dimension team, which is there without being defined",
        "6: dimensions.team: is there without being defined: give yours another name",
    ],
    f"metrics:\n  a: {{unit: count, {HELD}, by: [team, tenure, source]}}\n"
    f"  b: {{unit: count, {HELD}, by: [product]}}\n"
    "  c: {unit: ratio, type: conversion, base: leads_received, to: {status: customer}, at_to: customer_at,"
    " open: apart, by: [lost_reason]}": [
        "3: metrics.b.by: meeting does not say product",
        "4: metrics.c.by: lead does not say lost_reason",
    ],
    "metrics:\n  a:\n    unit: count\n    type: simple\n    from: lead\n    at: received_at\n    agg: count\n"
    "    versions:\n      - {where: {sorce: web}}\n      - {since: soon}\n"
    "      - {since: 2026-02-01, att: closed_at}": [
        "9: metrics.a.versions.0.where.sorce: lead has no field sorce; did you mean 'source'?",
        "10: metrics.a.versions.1.since: is not a date such as 2026-03-18",
        "11: metrics.a.versions.2.att: is not a setting here; did you mean 'at'?",
    ],
    "metrics:\n  a: {unit: count, type: simple, from: lead, at: received_at, agg: count, where: {sorce: web},"
    " versions: [{note: a}, {since: 2026-01-01, credit: rep}]}": [
        "2: metrics.a.where.sorce: lead has no field sorce; did you mean 'source'?",
    ],
    "metrics:\n  a: {unit: count, from: lead, at: received_at, agg: count,\n"
    "    versions: [{type: simple}, {since: 2026-01-01, type: level}]}": [
        "3: metrics.a.versions.1.type: must be the same in all versions",
    ],
    f"metrics:\n  a: {{unit: money, {HELD}}}\n  b: {{unit: ratio, {HELD}}}": [
        "2: metrics.a.unit: is money, but agg count counts: money is summed up, with agg sum and value",
        "3: metrics.b.unit: is ratio, but agg count counts: a share is divided, by type ratio",
    ],
    "metrics:\n  a: {unit: count, type: conversion, base: deals_created, to: {status: won}, at_to: closed_at,"
    " open: apart}\n  b: {unit: seconds, type: response, stat: within}\n"
    "  c: {unit: money, type: response, stat: missed}\n"
    "  d: {unit: seconds, type: response, stat: median}\n"
    "  e: {unit: days, type: duration, from: call, start: dialed_at, end: [], stat: p100}\n"
    "  f: {unit: number, type: derived, expr: calls_made + 0x10}": [
        "2: metrics.a.unit: must be ratio: a conversion is a share",
        "3: metrics.b.unit: must be ratio: stat within is a share",
        "4: metrics.c.unit: must be count: stat missed counts leads",
        "5: metrics.d.stat: must be p1 to p99, due, answered, within, missed or mean; did you mean 'p50'?",
        "6: metrics.e.stat: must be p1 to p99, mean or sum",
        "7: metrics.f.expr: 0x10: must be a number",
    ],
    "metrics:\n  a: {unit: number, type: derived, expr: calls_made + 1e999999999}\n"
    f"  b: {{unit: count, {HELD}, examples: [{{given: [{{record: call, id: c, changed_at: x}}], window: march,"
    " is: 1}]}\n"
    "  c: {unit: count, type: simple, from: deal, at: closed_at, agg: count, where: {amount: {below: 1e-99999999}}}": [
        "2: metrics.a.expr: 1e999999999: has more than 30 digits before or behind the point",
        "3: metrics.b.examples.0.window: must be the first and the last day, such as 2026-03-01/2026-03-31",
        "4: metrics.c.where.amount.below: has more than 30 digits before or behind the point",
    ],
    "metrics:\n  a: {unit: days, type: ratio, numerator: talk_seconds, denominator: calls_made}\n"
    "  b: {unit: ratio, type: ratio, numerator: {from: call, at: dialed_at, agg: sum, value: talk}, denominator:"
    " calls_made}\n"
    "  c: {unit: money, type: ratio, numerator: {from: lead, at: received_at, agg: sum, value: response},"
    " denominator: leads_received}": [
        "2: metrics.a.unit: is days, but seconds divided by count is seconds",
        "3: metrics.b.unit: is ratio, but seconds divided by count is no share; use number, seconds, days or money",
        "4: metrics.c.unit: is money, but seconds divided by count is seconds",
    ],
    "metrics:\n  a: {unit: count, type: simple, from: call, at: dialed_at, agg: count,\n"
    "    where: {direction: outbond, dialed_at: {below: 5m}, talk: {least: 5m}}}\n"
    "  b: {unit: count, type: simple, from: email, at: sent_at, agg: count, where: {contacts: c1}}\n"
    "  c: {unit: count, type: simple, from: call, at: [], agg: count}": [
        "3: metrics.a.where.direction: is never outbond; did you mean 'outbound'?",
        "3: metrics.a.where.dialed_at: is an instant: of it can be asked is_set",
        "3: metrics.a.where.talk: must be one of at_least, below, is_set",
        "4: metrics.b.where.contacts: is a list of ids: of it can be asked is_set",
        "5: metrics.c.at: names no instant",
    ],
    # All of one entry at once, and none for what is told of another.
    "metrics:\n  a: {unit: money, type: simple, from: deal, at: closed_at, agg: sum}\n"
    "  b: {unit: number, type: derived, expr: one + two * a / a + b}\n"
    "  c: {unit: ratio, type: ratio, numerator: {metric: a, where: {kin: new}}, denominator:"
    " {metric: deals_won, where: {kin: new, prodct: pro}}}\n"
    "  d: {unit: count, type: conversion, base: leads_assigned, to: {status: won, sorce: a}, failed: {statu: a},"
    " at_to: won, within: 30, open: due, by: [source]}\n"
    "  e: {unit: count, type: funnel, from: deal, path: stage, mode: visited, steps: [a, a], credit: owner,"
    " by: [source, lost]}\n"
    "  f: {unit: count, type: simple, from: call, at: dialed_at, agg: distinct, of: leed, at_least: 0, keep: 9,"
    " by: [product]}": [
        "2: metrics.a.value: is missing: agg sum needs a field",
        "3: metrics.b.expr: there is no metric one",
        "3: metrics.b.expr: is made of itself: b of b",
        "3: metrics.b.expr: there is no metric two",
        "4: metrics.c.unit: is ratio, but money divided by count is no share",
        "4: metrics.c.denominator.where.kin: deal has no field kin; did you mean 'kind'?",
        "4: metrics.c.denominator.where.prodct: deal has no field prodct; did you mean 'product'?",
        "5: metrics.d.unit: must be ratio: a conversion is a share",
        "5: metrics.d.within: '30' is not a duration",
        "5: metrics.d.failed.statu: lead has no field statu; did you mean 'status'?",
        "5: metrics.d.to.status: is never won",
        "5: metrics.d.to.sorce: lead has no field sorce; did you mean 'source'?",
        "5: metrics.d.at_to: lead has no field won; did you mean 'won_at'?",
        "6: metrics.e.by.1: there is no dimension 'lost'",
        "6: metrics.e.credit: deal has no field owner",
        "6: metrics.e.unit: must be ratio: in rows a funnel is a share",
        "6: metrics.e.steps: names a step twice",
        "7: metrics.f.of: call has no field leed; did you mean 'lead'?",
        "7: metrics.f.keep: '9' is not a duration",
        "7: metrics.f.at_least: must be a whole number above 0",
        "7: metrics.f.by: call does not say product",
    ],
    "metrics:\n  talk_seconds: false\n  a: {unit: ratio, type: ratio, numerator: talk_seconds, denominator: none}\n"
    f"  b: {{unit: count, {HELD}, versions: [{{credit: owner}},"
    " {since: 2026-05-01, agg: sum, value: a, unit: money}]}\n"
    "  c: {unit: seconds, type: response, stat: mean, within: 30m}\n"
    "dimensions:\n  d: {of: deal.prodct, values: {}}": [
        "3: metrics.a: is made of talk_seconds, which is switched off in line 2",
        "3: metrics.a.denominator: there is no metric none",
        "4: metrics.b.versions.0.credit: meeting has no field owner",
        "4: metrics.b.versions.1.unit: must be the same in all versions",
        "4: metrics.b.versions.1.value: meeting has no field a",
        "5: metrics.c.within: says nothing of stat mean",
        "7: dimensions.d.of: deal has no field prodct; did you mean 'product'?",
    ],
    # What stands in place is told apart by what its own fact says.
    "metrics:\n  a:\n    unit: number\n    type: ratio\n"
    "    numerator: {from: call, at: dialed_at, agg: count, by: [product, sorce]}\n"
    "    denominator: {from: meeting, at: starts_at, agg: count, by: [lost_reason]}": [
        "5: metrics.a.numerator.by.1: there is no dimension 'sorce'; did you mean 'source'?",
        "5: metrics.a.numerator.by: call does not say product",
        "6: metrics.a.denominator.by: meeting does not say lost_reason",
    ],
    "metrics:\n  a: {unit: seconds, type: duration, from: [call, subscription], start: dialed_at, end: ends_at,"
    " stat: p50}\n"
    "  b: {unit: count, type: simple, from: [call, email], at: dialed_at, agg: distinct, of: thread}\n"
    "  c: {unit: count, type: simple, from: lead, at: due_at, agg: count, where: {within_sla: true}}\n"
    "  d: {unit: count, type: simple, from: lead.deals, at: closed_at, agg: count,"
    " where: {lead.coming_at: {is_set: true}}}": [
        "2: metrics.a.from: none of call, subscription has a start, an end and an at",
        "3: metrics.b.from: none of call, email has what at and of name",
        "4: metrics.c.at: lead has no field due_at; did you mean 'deal_at'?",
        "4: metrics.c.where.within_sla: lead has no field within_sla",
        "5: metrics.d.where.lead.coming_at: lead.deals has no field lead.coming_at",
    ],
    "- a": ["1: must be a mapping with metrics, dimensions, cold_sources or quiet_after"],
    "metrics: [": ["1: is not YAML: expected the node content, but found '<stream end>'"],
}  # fmt: skip


def test_a_dimension_of_the_lead_without_values_is_not_kept_and_counts_nothing() -> None:
    text = (
        "dimensions:\n  origin: {of: lead.source, values: {}, other: Other}\n"
        "metrics:\n  demos: {label: D, description: D., unit: count, type: simple, from: meeting, at: starts_at,"
        " credit: rep, agg: count, by: [origin]}"
    )
    found = read(text)

    assert found.problems == []
    assert found.defined.dimensions["origin"].labels == ()
    assert "origin" not in bound_under(found.defined, Rules()).metrics["demos"].segments


class TestFaults:
    @pytest.mark.parametrize("text", FAULTS)
    def test_each_is_named_by_line_and_field(self, text: str) -> None:
        told = read(text).problems

        assert len(told) == len(FAULTS[text]), told
        for line, expected in zip(told, FAULTS[text], strict=True):
            assert line.startswith(f"metrics.yaml:{expected}")

    def test_the_faults_of_both_files_are_told_at_once(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError) as caught:
            loaded(
                tmp_path,
                "metrics:\n  few: {unit: count, type: simpel}",
                CONFIG.replace("UTC", "Mars/Olympus") + "colour: red\n",
            )

        assert [line.split(": ")[1] for line in caught.value.problems] == [
            "organisation.timezone", "colour", "metrics.few.type",
        ]  # fmt: skip

    def test_a_funnel_of_an_unknown_pipeline_is_told_with_everything_else(self, tmp_path: Path) -> None:
        path = "{unit: ratio, type: funnel, from: deal, path: stage, mode: visited, pipeline: slaes}"
        with pytest.raises(ConfigError) as caught:
            loaded(
                tmp_path,
                f"metrics:\n  path: {path}\n  few: {{unit: count, type: simpel}}",
                CONFIG + "pipelines: {sales: {steps: [a, b]}}\ncolour: red\n",
            )

        assert [line.split(": ", 1)[1] for line in caught.value.problems] == [
            "colour: is not a setting here; did you mean 'cors'?",
            "metrics.few.type: must be one of simple, ratio, derived, duration, conversion, funnel, level, response; "
            "did you mean 'simple'?",
            "metrics.path.pipeline: there is no pipeline 'slaes' under pipelines of floorcast.yaml; "
            "did you mean 'sales'?",
        ]  # fmt: skip

    def test_a_threshold_may_be_of_a_metric_of_ones_own(self, tmp_path: Path) -> None:
        limits = "alerts: {thresholds: {few: {metric: demos, per: rep, window: 7d, above: 3}}}\n"

        assert loaded(tmp_path, config=CONFIG + limits).alerts.thresholds["few"].metric == "demos"

    def test_a_threshold_of_a_faulty_entry_is_no_fault_of_its_own(self, tmp_path: Path) -> None:
        limits = "alerts: {thresholds: {few: {metric: demos, per: rep, window: 7d, above: 3}}}\n"

        with pytest.raises(ConfigError) as caught:
            loaded(tmp_path, DEMOS.replace("from: meeting", "from: meting"), CONFIG + limits)

        assert [line.split(": ")[1] for line in caught.value.problems] == ["metrics.demos.from"]

    def test_who_uses_what_is_switched_off_is_named(self, tmp_path: Path) -> None:
        limits = "alerts:\n  thresholds:\n    few: {metric: talk_seconds, per: rep, window: 7d, above: 3}\n"

        with pytest.raises(ConfigError) as caught:
            loaded(tmp_path, "metrics: {talk_seconds: false}", CONFIG + limits)

        (told,) = caught.value.problems
        assert told.endswith("floorcast.yaml:6: alerts.thresholds.few.metric: talk_seconds is switched off in "
                             "metrics.yaml")  # fmt: skip

    def test_whoever_uses_what_is_switched_off_is_named_also_where_something_else_is_wrong(
        self, tmp_path: Path
    ) -> None:
        with pytest.raises(ConfigError) as caught:
            loaded(
                tmp_path,
                "metrics: {talk_seconds: false}",
                CONFIG + "prometheus: {reps: {top: 3, by: talk_seconds}}\n"
                "goals: {more: {metric: talk_seconds, period: month, amounts: [{each: 5}]}}\n"
                "digest: {at: '18:00', metrics: [talk_seconds]}\n"
                "screens: {wall: {scenes: [{name: x, tiles: [{kind: leaderboard, metric: talk_seconds}]}]}}\n",
            )

        off = "talk_seconds is switched off in metrics.yaml"
        assert [line.split(": ", 1)[1] for line in caught.value.problems] == [
            f"prometheus.reps.by: {off}",
            f"goals.more.metric: {off}",
            "digest.to: is missing",
            f"screens.wall.scenes.0.tiles.0.metric: {off}",
        ]

    def test_two_metrics_of_one_name_in_panes_are_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        theirs = bound_under(shipped(), Rules()).metrics["calls_made"].reader.measures[0]
        name = type(theirs).name
        assert isinstance(name, cached_property)
        monkeypatch.setattr(
            type(theirs), "name", property(lambda held: theirs_name if "tour" in held.text else name.func(held))
        )
        theirs_name = name.func(theirs)

        with pytest.raises(ConfigError) as caught:
            loaded(tmp_path, DEMOS.replace("kind: demo", "kind: tour"))

        (told,) = caught.value.problems
        assert told.endswith(
            "metrics.yaml:2: metrics.demos: has by a rare chance the same name as calls_made in what is stored: "
            "add a condition to its where, also one that always holds"
        )

    def test_a_file_that_is_named_has_to_be_there(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"floorcast\.yaml:4: metrics: .*ours\.yaml: cannot be read: No such"):
            loaded(tmp_path, None, CONFIG + "metrics: ours.yaml\n")

    def test_there_is_an_end_to_how_many(self) -> None:
        def many(number: int) -> str:
            return "metrics:\n" + "".join(f"  m{index}: {{unit: count, {HELD}}}\n" for index in range(number))

        assert read(many(MAX_OWN)).problems == []
        assert read(many(MAX_OWN + 1)).problems == [
            f"metrics.yaml:1: metrics: holds {MAX_OWN + 1} metrics of your own; {MAX_OWN} are the most"
        ]


def test_the_plan_counts_what_the_file_defines(tmp_path: Path) -> None:
    config = loaded(tmp_path)
    made = bound_under(config.defined, rules_of(config))

    assert made.metrics["demos"].cells <= made.plan.forms.keys()
    assert made is bound_under(config.defined, rules_of(config))


@pytest.mark.parametrize(
    ("metrics", "config", "is_same"),
    [
        (DEMOS, CONFIG, True),
        (DEMOS.replace("label: Demos", "label: Shown"), CONFIG, False),
        (DEMOS + "quiet_after: 3d\n", CONFIG, False),
        (DEMOS, CONFIG + "prometheus: {windows: [7d]}\n", False),
        (None, CONFIG, False),
    ],
    ids=["same", "label", "quiet", "window", "gone"],
)
def test_what_says_the_same(tmp_path: Path, metrics: str | None, config: str, *, is_same: bool) -> None:
    before = loaded(tmp_path)
    (tmp_path / "metrics.yaml").unlink()

    assert loaded(tmp_path, metrics, config).says_the_same(before) is is_same
