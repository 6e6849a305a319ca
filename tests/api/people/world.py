"""A floor of eight reps with everything that a page can show, served over a socket."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from schemas.alerts import Alert, encode_alert
from schemas.keys import ApiScope, create_key
from schemas.topics import ALERTS
from tests.api.fakes import FakeActions
from tests.api.http.routes.test_stream import LiveFloor
from tests.api.reading import floor_config
from tests.builders import change

NOW = "2026-03-18T07:40:20.500Z"
PEOPLE = ("Ana Lim", "Ben Carter", "شیرین احمدی", "Dora Lindqvist", "Emil Svensson", "Farah Aziz", "Goran Petrović")
LONG = "Zoë Anastasia Williams-Featherstonehaugh von und zu Hohenstein"


class World(LiveFloor):
    """The floor, its address and its keys."""

    address: str

    def __init__(self, data: Path) -> None:
        names = [*PEOPLE, LONG]
        config = floor_config(
            teams={"north": {"name": "North"}, "south": {"name": "South"}},
            reps={
                f"r-{place}": {"name": name, "team": ["north", "south"][place % 2]} for place, name in enumerate(names)
            },
            goals={
                "calls": {"metric": "calls_made", "period": "day", "amounts": [{"each": 4}]},
                "quota": {"metric": "revenue_won", "period": "month", "amounts": [{"each": "900"}]},
            },
            pipelines={"New business": {"steps": ["demo", "offer"]}, "Renewals": {"steps": ["call"]}},
        )
        super().__init__(data, config, NOW)
        self.take(*(each for place in range(len(names)) for each in _of(place)))
        self.view.advance(self.now)
        self.app.state.alert_actions = self.actions = FakeActions()
        self._breach()
        self.admin = create_key(self.settings.keys, ApiScope.ADMIN, now=self.now)
        self.rep = create_key(self.settings.keys, ApiScope.REP, now=self.now, rep="r-0")

    def _breach(self) -> None:
        clock = self.view.clocks["lead-0"]
        due = clock.due_at or 0
        alert = Alert(
            "lead-0/breach", "lead_response", "breach", "lead-0", "r-0", "north", clock.started_at or 0, due, due
        )
        self.view.apply(ALERTS.name, alert.id.encode(), encode_alert(alert))

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Serve it."""
        with self.served() as self.address:
            yield


def _of(place: int) -> Iterator[Any]:
    rep = f"r-{place}"
    for number in range(place + 1):
        yield change(
            "call", f"call-{place}-{number}", rep=rep, direction="outbound", outcome="connected",
            dialed_at=f"2026-03-{18 - number:02}T05:00Z", answered_at=f"2026-03-{18 - number:02}T05:00:09Z",
            ended_at=f"2026-03-{18 - number:02}T05:03:00Z",
        )  # fmt: skip
    money: dict[str, Any] = {"amount": 400 + 100 * place, "currency": "USD", "pipeline": "New business"}
    yield change("deal", f"open-{place}", rep=rep, name=f"Globex {place}", status="open", stage="demo", **money)
    if place % 3 == 0:
        yield change(
            "deal", f"won-{place}", rep=rep, status="won", stage="offer", closed_at="2026-03-18T04:00Z", **money
        )
        yield change("lead", f"lead-{place}", rep=rep, name="Lena Fox", source="web", received_at="2026-03-18T06:00Z")
