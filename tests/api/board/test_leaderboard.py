"""The leaderboard in a real browser: order, pages, motion."""

import re

import pytest
from playwright.sync_api import expect

from tests.api.board.builders import ORGANISATION, TEAMS, make_rep, make_reps, make_row, make_snapshot
from tests.api.board.floors import LONG, every_tile, many, three
from tests.api.board.scripted import Screen, needs_browser
from tests.api.board.test_celebrations import PIXEL

pytestmark = needs_browser

WHOLE = """nodes => nodes.every(node => node.scrollWidth <= node.clientWidth
    && node.scrollHeight <= node.clientHeight + 2)"""
COUNT_MOVES = (
    "window.moves = 0; const real = Element.prototype.animate;"
    "Element.prototype.animate = function (...a) { window.moves += 1; return real.apply(this, a); }; null"
)


def test_equal_values_share_a_rank_and_the_next_rank_is_skipped(screen: Screen) -> None:
    reps = [make_rep(1, "Ana", 9), make_rep(2, "Ben", 7), make_rep(3, "Cy", 7), make_rep(4, "Di", 5)]
    screen.floor.snapshot = make_snapshot(rows=[make_row(ORGANISATION), *reps])
    screen.open()

    expect(screen.names()).to_have_text(["Ana", "Ben", "Cy", "Di"])
    expect(screen.page.locator(".row .rank")).to_have_text(["1", "2", "2", "4"])


def test_the_leaderboard_sorts_itself_anew_when_a_rank_changes(screen: Screen) -> None:
    reps = [make_rep(1, "Ana", 9), make_rep(2, "Ben", 7)]
    screen.floor.snapshot = make_snapshot(rows=[make_row(ORGANISATION), *reps])
    screen.open()
    expect(screen.names()).to_have_text(["Ana", "Ben"])
    screen.page.evaluate(COUNT_MOVES)

    screen.floor.publish("metrics", {"rows": [make_rep(1, "Ana", 11), make_rep(2, "Ben", 9)]})
    expect(screen.rep("r-1").locator(".value")).to_have_text("11")
    assert screen.page.evaluate("moves") == 0  # nobody has another rank
    screen.floor.publish("metrics", {"rows": [make_rep(2, "Ben", 12)]})

    expect(screen.names()).to_have_text(["Ben", "Ana"])
    assert screen.page.evaluate("moves") == 2
    expect(screen.rep("r-2")).to_have_class(re.compile("leader"))
    expect(screen.rep("r-1")).not_to_have_class(re.compile("leader"))


def test_money_ranks_exactly_and_response_times_rank_the_shortest_first(screen: Screen) -> None:
    far, near = "90071992547409.93", "90071992547409.92"
    reps = [
        make_rep(1, "Ana", 1, revenue_won=near, lead_response_seconds_p50=60),
        make_rep(2, "Ben", 1, revenue_won=far, lead_response_seconds_p50=90),
        make_rep(3, "Cy", 1, revenue_won="9.00", lead_response_seconds_p50=None),
    ]
    screen.floor.snapshot = make_snapshot(rows=[make_row(ORGANISATION), *reps])

    screen.open("?metric=revenue_won")
    expect(screen.names()).to_have_text(["Ben", "Ana", "Cy"])
    expect(screen.page.locator(".row .rank")).to_have_text(["1", "2", "3"])

    screen.open("?metric=lead_response_seconds_p50")
    expect(screen.names()).to_have_text(["Ana", "Ben", "Cy"])
    expect(screen.page.locator(".row .rank")).to_have_text(["1", "2", ""])


def test_many_reps_are_paged_at_full_size_and_nobody_stands_on_two_pages(screen: Screen) -> None:
    screen.floor.snapshot = make_snapshot(rows=[make_row(ORGANISATION), *make_reps(40)])
    screen.open()
    span = screen.tile("leaderboard").locator(".range")
    expect(span).to_have_text(re.compile(r"^\d+\D\d+ of 40$"))
    pages: dict[str, list[str]] = {}
    for _look in range(14):
        text, names = screen.tile("leaderboard").evaluate(
            "tile => [tile.querySelector('.range').textContent,"
            " Array.from(tile.querySelectorAll('.row .name'), (name) => name.textContent)]"
        )
        pages[text] = names
        heights = screen.page.locator(".row").evaluate_all("rows => rows.map(row => row.offsetHeight)")
        assert min(heights) >= 54
        screen.hear_later(7)

    shown = [name for names in pages.values() for name in names]
    assert len(shown) == len(set(shown)) == 40
    assert max(map(len, pages.values())) <= 12


@pytest.mark.parametrize("count", [1, 3, 6])
def test_few_reps_fill_the_leaderboard(screen: Screen, count: int) -> None:
    screen.floor.snapshot = make_snapshot(rows=[make_row(ORGANISATION), *make_reps(count)])
    screen.open()
    expect(screen.names()).to_have_count(count)

    rows = screen.page.locator('[data-tile="leaderboard"] .row')
    heights = rows.evaluate_all("rows => rows.map(row => row.offsetHeight)")
    room = screen.tile("leaderboard").locator(".rows").evaluate("list => list.clientHeight")
    assert sum(heights) >= 0.85 * room


def test_a_bar_ends_below_the_names_not_in_the_middle_of_one(screen: Screen) -> None:
    screen.open()
    expect(screen.names().first).to_be_visible()

    crossed = screen.page.evaluate(
        """() => Array.from(document.querySelectorAll('.row')).filter((row) => {
            const bar = row.querySelector('.bar').getBoundingClientRect();
            return Array.from(row.querySelectorAll('.name, .team, .value, .owner, .running')).some((node) => {
              const range = document.createRange(); range.selectNodeContents(node);
              return node.textContent && range.getBoundingClientRect().bottom > bar.top + 1; });
        }).length"""
    )
    assert crossed == 0


def test_two_people_of_one_name_can_be_told_apart(screen: Screen) -> None:
    screen.floor.snapshot = make_snapshot(
        rows=[
            make_row(ORGANISATION),
            *[make_row({}, team=team, name=name) for team, name in TEAMS.items()],
            make_rep(1, "Ana Lim", 9),
            make_rep(2, "Ana Lim", 7),
            make_rep(3, "Ben", 5),
            make_rep(4, LONG, 4),
            make_rep(5, LONG, 3, "enterprise"),
        ]
    )
    screen.open()

    # By their ids, or by their teams where these differ; however long the name is, that is not cut off.
    apart = screen.page.locator('[data-tile="leaderboard"] .apart')
    expect(apart).to_have_text(["r-1", "r-2", "", "North", "Enterprise"])
    whole = apart.evaluate_all("nodes => nodes.every(node => node.scrollWidth <= node.clientWidth)")
    assert whole
    # The names themselves have two lines, and stand there whole.
    assert screen.names().evaluate_all(WHOLE)


def test_a_long_name_stands_whole_beside_a_face_an_amount_and_an_attainment(screen: Screen) -> None:
    many(screen.floor)
    screen.floor.settings = every_tile()
    goal = {"target": 1_000_000, "attainment": 1.2345, "expected": 400_000, "state": "ahead"}
    screen.floor.files["/photos/r-1"] = ("image/gif", PIXEL)
    screen.floor.snapshot = make_snapshot(
        rows=[
            make_row(ORGANISATION),
            *[
                make_rep(number, f"{LONG[:-2]}{number:02}", 1, revenue_won=f"{1_234_567 - number}.00")
                | {"goals": {"revenue_won": goal}, "photo": "/photos/r-1"}
                for number in range(1, 13)
            ],
        ]
    )
    screen.open("?scene=Day")

    expect(screen.names()).to_have_count(12)
    expect(screen.page.locator(".row .attained").first).to_contain_text("123%")
    assert screen.names().evaluate_all(WHOLE)

    three(screen.floor)  # whose rows are larger
    screen.floor.publish("snapshot", screen.floor.snapshot)
    expect(screen.names()).to_have_count(3)
    assert screen.names().evaluate_all(WHOLE)


def test_reduced_motion_moves_nothing(screen: Screen) -> None:
    screen.page.emulate_media(reduced_motion="reduce")
    screen.floor.snapshot = make_snapshot(rows=[make_row({}), make_rep(1, "Ana", 9), make_rep(2, "Ben", 7)])
    screen.prepare(COUNT_MOVES)
    screen.open()
    expect(screen.names()).to_have_text(["Ana", "Ben"])

    screen.floor.publish("metrics", {"rows": [make_rep(2, "Ben", 10)]})

    expect(screen.names()).to_have_text(["Ben", "Ana"])
    assert screen.page.evaluate("window.moves") == 0
