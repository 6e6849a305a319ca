"""Which wins lie in a stretch of time, of all that a view knows. Pure: `now` is an argument."""

from collections.abc import Iterator

from api.read.view import View
from schemas.wins import Win, Wins


def wins_between(view: View, start: int, end: int, now: int) -> Iterator[Win]:
    """All from the one instant until the other (excluded), in no order."""
    wins = Wins(view, now)
    for card in view.deals.won_since(start):
        win = wins.of_deal(card)
        if win is not None and win.at < end:
            yield win
    for alert in view.milestones.values():
        if start <= alert.due_at < end and (win := wins.of_goal(alert)) is not None:
            yield win
