"""Panes that nobody will ask for again are let go, and nothing else changes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.floor import ORGANISATION, Floor, Scope, rep_scope, team_scope
from schemas.instants import DAY, MINUTE
from schemas.panes import encode_pane, pane_key
from schemas.windows import Span, Window, day_window, minute_window
from tests.builders import instant, make_config
from tests.panes import pane_of

NOW = instant("2026-03-18T10:00Z")
REPS: tuple[str | None, ...] = ("r1", "r2", None)
CONFIG = make_config(reps={"r1": {"team": "north"}}, teams={"north": {}})
SCOPES = (ORGANISATION, rep_scope("r1"), team_scope("north"))

Steps = list[tuple[str | None, int, int]]


def make_floor() -> Floor:
    return Floor(CONFIG)


def put(floor: Floor, rep: str | None, window: Window, calls: int) -> None:
    floor.take_pane(pane_key("ledger.0", rep, window), encode_pane(pane_of(calls_made=calls)) if calls else None)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(REPS), st.integers(0, 150), st.integers(0, 3)), max_size=30),
    st.integers(1, 130),
    st.booleans(),
)
def test_what_is_younger_counts_as_before(steps: Steps, kept: int, has_looked: bool) -> None:
    floor = make_floor()
    minutes = {ago: minute_window(NOW - ago * MINUTE) for ago in range(151)}
    for rep, ago, calls in steps:
        put(floor, rep, minutes[ago], calls)
        put(floor, rep, day_window(NOW // DAY - ago % 3), calls)
    last = NOW // MINUTE
    spans = [Span("s", days=False, first=last - kept + 1, last=last), Span("s", days=True, first=0, last=NOW // DAY)]

    def shown() -> list[object]:
        return [floor.values(scope, span, NOW, ["calls_made"]) for scope in SCOPES for span in spans]

    before = shown() if has_looked else None
    floor.forget_before(minutes[kept - 1])

    untouched = make_floor()
    for rep, ago, calls in steps:
        put(untouched, rep, minutes[ago], calls)
        put(untouched, rep, day_window(NOW // DAY - ago % 3), calls)
    expected = [untouched.values(scope, span, NOW, ["calls_made"]) for scope in SCOPES for span in spans]
    assert shown() == expected
    assert before is None or before == expected
    gone = Span("s", days=False, first=last - 150, last=last - kept)
    assert floor.values(Scope("organisation", None), gone, NOW, ["calls_made"]).metrics["calls_made"] == 0
