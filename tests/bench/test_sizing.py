"""The page of sizes follows from its costs, and the costs from what was measured."""

from pathlib import Path

import msgspec
import pytest

from bench import sizing
from bench.results import Result, Section, save
from bench.sizing import COSTS, FILE, PAGE, Costs, needs, page, read, updated


def make_costs(**given: float) -> Costs:
    return msgspec.structs.replace(read(FILE), **given)


def test_the_page_is_what_its_costs_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(read(FILE)), "python -m bench.sizing writes it anew"


def test_what_was_measured_is_taken_in_and_the_rest_stays() -> None:
    measured = Section("workers", "", "", [Result("one worker, new records", "", "", "", [3.0, 1_000.0, 20_000.0])])
    held = make_costs(worker_rate=1.0, record=321.0, delivery=1.0)

    costs = updated(held, {"workers": measured})

    assert (costs.worker_rate, costs.record) == (1_000.0, 321.0)
    assert costs.delivery > 300  # made anew
    assert updated(held, {}) == held


def test_a_short_form_is_no_cost() -> None:
    measured = Section("workers", "", "", [Result("one worker, new records", "", "", "", [3.0])], short=True)

    assert updated(make_costs(worker_rate=7.0), {"workers": measured}).worker_rate == 7.0


@pytest.mark.parametrize("name", COSTS)
def test_each_cost_is_in_the_page(name: str) -> None:
    assert page(make_costs(**{name: 12_345.0})) != page(make_costs(**{name: 54_321.0}))


def test_workers_keep_a_recovery_and_their_memory_within_the_limits() -> None:
    slow = needs(10_000, make_costs(recovery_million=100.0))
    large = needs(10_000, make_costs(record=10_000.0, recovery_million=0.001))

    assert slow.recovery <= sizing.RECOVERY_WANTED
    assert needs(10_000, make_costs(recovery_million=50.0)).workers < slow.workers
    assert large.worker_memory <= sizing.WORKER_MEMORY
    assert large.workers > 100


def test_a_million_reps_are_floors_side_by_side() -> None:
    reps, count = sizing.FLOORS[-1]
    need = needs(reps, make_costs())
    text = " ".join(page(make_costs()).split())

    assert reps * count == 1_000_000
    assert f"{count} floors make 1,000,000 reps: in all {need.workers * count:,} workers" in text
    assert f"| each of {count} floors of {reps:,} |" in text


def test_a_day_of_a_rep_lies_in_no_more_panes_than_it_has_records() -> None:
    need = needs(1_000_000, make_costs())

    assert need.partitions > 60
    assert need.panes < need.reps * 60 * (sizing.DAYS + sizing.MINUTE_DAYS)


def test_what_is_over_its_limit_is_said_to_break(tmp_path: Path) -> None:
    results = tmp_path / "results"
    (tmp_path / "costs.json").write_bytes(msgspec.json.encode(make_costs(pane=1.0, api_million=1.0)))
    panes = [Result("memory of the view", "", "", "", [1e9]), Result("panes", "", "", "", [float(sizing.MIB)])]
    save(Section("views", "", "", panes), results)

    sizing.main(results, tmp_path / "costs.json", tmp_path / "page.md")

    text = (tmp_path / "page.md").read_text()
    assert "- **100 reps**: first *memory of an api, 16 GiB*" in text
    assert read(tmp_path / "costs.json").pane == 1e9
