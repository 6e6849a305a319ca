"""What was won: deals, and goals that were reached, as REST, the stream and channels tell of them.

Owns the names and forms of wins. What was reopened, deleted or lost again is none any more, and what is to be won at an
instant that is still to come is none yet. Pure: `now` is an argument.
"""

from typing import NamedTuple

from schemas.alerts import Alert
from schemas.catalogue import money_digits
from schemas.catalogue.base import write_money
from schemas.config.rules import rules_of
from schemas.deals import DealCard
from schemas.floor import Floor
from schemas.instants import format_instant
from schemas.json_object import Json
from schemas.media import photo_of
from schemas.money import in_money

ListKey = tuple[int, str]


class Win(NamedTuple):
    """Something that was won, and when (microseconds)."""

    at: int
    row: Json

    def key(self) -> ListKey:
        """Where it stands in a list: the newest first; of equals by name."""
        return -self.at, self.row["win"]


class Wins:
    """The wins of a floor, as of an instant."""

    def __init__(self, floor: Floor, now: int) -> None:
        self._floor = floor
        self._now = now
        self._digits = money_digits(floor.config.organisation.currency)
        self._rates = dict(rules_of(floor.config).rates)

    def of_deal(self, card: DealCard) -> Win | None:
        """The win of a deal, its money by the rate of that instant; None: it is open, or to be won yet."""
        floor, at = self._floor, card.won_at
        if at is None or at > self._now:
            return None
        amount = in_money(card.amount, card.currency, self._rates, at)
        win = {
            "win": f"deal_won:{card.deal}:{format_instant(at)}",
            "cause": "deal_won",
            "rep": card.rep,
            "name": None if card.rep is None else floor.roster.name_of(card.rep),
            "team": floor.roster.team_on(card.rep, floor.calendar.day_of(at)),
            "photo": self._photo(card.rep),
            "deal": card.deal,
            "deal_name": card.name,
            "amount": None if amount is None else write_money(amount, self._digits),
            "currency": None if amount is None else floor.config.organisation.currency,
        }
        return Win(at, _whole(win, at))

    def of_goal(self, alert: Alert) -> Win | None:
        """The win of a milestone of a goal; None: attainment has fallen below it again."""
        is_won = alert.is_open or (alert.crossing is not None and alert.crossing.is_over)
        return self.as_reached(alert) if is_won else None

    def as_reached(self, alert: Alert) -> Win | None:
        """The win that a milestone is or was."""
        floor, at, crossing = self._floor, alert.due_at, alert.crossing
        if crossing is None or at > self._now:
            return None
        cause = "goal_reached" if crossing.limit == 1 else "milestone"
        if alert.rep is not None:
            name = floor.roster.name_of(alert.rep)
        elif alert.team is not None:
            name = floor.roster.team_names.get(alert.team, alert.team)
        else:
            name = floor.config.organisation.name
        win = {
            # Goal, whose, first day of the period, milestone: the alert's name without its kind.
            "win": f"{cause}:{alert.id.partition(':')[2]}",
            "cause": cause,
            "rep": alert.rep,
            "name": name,
            "team": alert.team,
            "photo": self._photo(alert.rep),
            "goal": crossing.threshold,
            "metric": crossing.metric,
            "milestone": crossing.limit,
        }
        return Win(at, _whole(win, at))

    def _photo(self, rep: str | None) -> str | None:
        person = None if rep is None else self._floor.roster.people.get(rep)
        return None if person is None else photo_of(person.rep, person.photo)


def _whole(win: Json, at: int) -> Json:
    return dict.fromkeys(_FIELDS) | win | {"at": format_instant(at), "withdrawn": False}


_FIELDS = (
    "win", "cause", "rep", "name", "team", "photo", "deal", "deal_name", "amount", "currency", "goal", "metric",
    "milestone", "at", "withdrawn",
)  # fmt: skip
