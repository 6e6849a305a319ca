"""What comes upon requests between here and a CRM: refusals with and without a wait, pages of proxies, cut answers."""

import random
from collections.abc import Callable, Sequence
from email.utils import formatdate

from tests.fakes.http import FakeServer, Response


def storm(crm: FakeServer, share: float, seed: int = 7) -> None:
    """Let it come upon this share of the requests. Never two refusals of a token after each other: that is the end."""
    chance = random.Random(seed)
    was_token = False
    faults: list[Callable[[], Sequence[Response | None]]] = [
        lambda: [Response(429, {}, {"Retry-After": "3"})],
        lambda: [Response(429, {}, {"Retry-After": formatdate(crm.clock() + 5, usegmt=True)})],
        lambda: [Response(429, {"error": "too much"})],
        lambda: [Response(500, {"error": "no"})] * chance.randint(1, 3),
        lambda: [Response(503, raw=b"<html>a gateway</html>")],
        lambda: [Response(200, raw=b"<html>please wait</html>")],
        lambda: [Response(200, raw=b'{"data": [{"id": ')],
        lambda: [None],
    ]

    def weather() -> Sequence[Response | None]:
        nonlocal was_token
        if chance.random() > share:
            return ()
        was_token = not was_token and chance.random() < 0.1
        return [Response(401, {"error": "expired"})] if was_token else chance.choice(faults)()

    crm.weather = weather
