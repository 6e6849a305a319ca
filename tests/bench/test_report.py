"""The page is made from results alone: medians, spreads, bars as ratios of runs that belong together."""

from pathlib import Path

from bench.report import page
from bench.results import Bar, Result, Section, load, save


def make_section() -> Section:
    command = "python -m bench example"
    return Section(
        "example",
        "An example",
        "What is measured.",
        [
            Result("ours", "our way", command, "events/s", [300.0, 100.0, 200.0], bars=[Bar("theirs", at_least=1.5)]),
            Result("theirs", "their way", command, "events/s", [100.0, 100.0, 100.0], bars=[Bar(at_most=50)]),
            Result(
                "broken", "a third way", command, "events/s", [], bars=[Bar("ours", at_least=1)], note="ended with 1"
            ),
        ],
    )


def test_a_bar_is_a_ratio_of_runs_that_ran_by_turns() -> None:
    text = page({"example": make_section()})

    assert "| **ours**: our way | 200 (100 to 300) | events/s | 3 |" in text
    assert "| ours ≥ 1.5 times theirs | 2 (1 to 3) | yes |" in text


def test_a_bar_that_is_missed_and_a_figure_that_is_missing_are_said() -> None:
    text = page({"example": make_section()})

    assert "| theirs ≤ 50 events/s | 100 (100 to 100) | **no** |" in text
    assert "no figure: ended with 1" in text
    assert "| broken ≥ 1 times ours | no figure |  |" in text


def test_a_short_form_claims_no_bar() -> None:
    section = make_section()
    section.short = True

    assert "1.5 times" not in page({"example": section})


def test_a_section_that_was_not_measured_again_stays_and_one_that_was_is_replaced() -> None:
    kept, old, new = (Section(slug, f"Title of {text}", text) for slug, text in [
        ("a-section", "the kept one"), ("example", "the old one"), ("example", "the new one"),
    ])  # fmt: skip
    before = page({"a-section": kept, "example": old})

    after = page({"example": new}, before)

    assert after == page({"a-section": kept, "example": new})
    assert "the kept one" in after
    assert "the old one" not in after


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    save(make_section(), tmp_path)

    assert load(tmp_path) == {"example": make_section()}
