"""The worst legal deliveries: what they cost grows as they do, and not faster."""

import cProfile
import tracemalloc
from collections.abc import Iterable

import pytest

from api.read.broadcast import Broadcaster
from api.read.unfinished_snapshot import AT_ONCE
from api.read.view import View
from processor.core.panes import Message
from tests.builders import make_config
from tests.faults.cost import Worker, costs_of, take
from tests.faults.worst import MEMORY_PER_BYTE, SHAPES, Shape, clock
from tests.pipeline import Pipeline

FEW, MANY = 100, 400
ROOM = 1.25
"""More than so much for so many more is not linear: bounds within which more is remembered come first."""

CONFIG = make_config(
    calendar="office",
    calendars={"office": {"timezone": "Europe/Berlin", "hours": {"mon-fri": ["09:00-12:00", "13:00-18:00"]}}},
    teams={"a": {"name": "A", "calendar": "office"}, "b": {"name": "B"}},
    lead_response={
        "stop": "contact", "responder": "team", "before_start": "exclude", "rules": [{"sla": "1h", "clock": "business"}]
    },
)  # fmt: skip
"""Under which most is looked at: whose touch counts depends on who held the lead then, and on their team."""

EACH_OF = {"meetings of 200 people each, nobody in two": 200, "deals with all": 1 / 10, "leads with all": 1 / 10}
"""Of what is counted otherwise: how many for one."""


def _size(shape: Shape, size: int) -> int:
    return next((int(size * each) for part, each in EACH_OF.items() if shape.what.startswith(part)), size)


def _work(shape: Shape, size: int) -> tuple[int, int]:
    """How often anything is called, of Python or below it, for all posts and for the last one."""
    now = clock()
    pipeline = Worker(CONFIG, partitions=1)
    counted = []
    for post in shape.posts(now, _size(shape, size)):
        profile = cProfile.Profile()
        profile.enable()
        take(post, now, pipeline)
        profile.disable()
        counted.append(sum(entry.callcount for entry in profile.getstats()))
    return sum(counted), counted[-1]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.what)
def test_what_the_worst_deliveries_cost_is_linear_in_what_they_say(shape: Shape) -> None:
    _work(shape, 1)  # what is made once is made
    (few, last_of_few), (many, last_of_many) = _work(shape, FEW), _work(shape, MANY)

    assert few > FEW
    assert many <= few * MANY / FEW * ROOM
    assert last_of_many <= last_of_few * MANY / FEW * ROOM


class Told(Pipeline):
    """What an api that nobody looks at hears of it."""

    def __init__(self) -> None:
        super().__init__(CONFIG, partitions=1)
        self.heard: list[tuple[str, bytes, bytes | None]] = []

    def _publish(self, topic: str, _p: int, messages: Iterable[Message]) -> None:
        self.heard += [(topic, key, value) for key, value in messages]

    def _keep(self, topic: str, p: int, rows: Iterable[Message]) -> None:
        """They are no business of an api."""


def _heard(shape: Shape, size: int, view: View, broadcaster: Broadcaster) -> tuple[int, int]:
    """How often anything is called in an api, until somebody asks and then."""
    now, told = clock(), Told()
    for post in shape.posts(now, size):
        take(post, now, told)
    profile, counted = cProfile.Profile(), []
    for unwatched in (False, True):
        profile.enable()
        for number, message in enumerate([] if unwatched else told.heard):
            view.apply(*message)
            if number % AT_ONCE == 0:
                broadcaster.flush(now, most=AT_ONCE)
        while unwatched and not broadcaster.flush(now, unwatched=True, most=AT_ONCE):
            pass
        profile.disable()
        counted.append(sum(entry.callcount for entry in profile.getstats()))
        profile.clear()
    return counted[0], counted[1]


@pytest.mark.parametrize("part", ["meetings of 200 people", "calls, each of somebody else", "called by as many"])
def test_what_they_cost_an_api_is_what_it_takes_in_until_somebody_asks(part: str) -> None:
    def work(size: int) -> tuple[int, int]:
        view = View(CONFIG)
        broadcaster = Broadcaster(view, instance="i", build=lambda _config: "b", freshness=lambda _now: {})
        broadcaster.pin(["today", "1h"], clock())
        broadcaster.flush(clock(), unwatched=True)
        return _heard(shape, size, view, broadcaster)

    (shape,) = (shape for shape in SHAPES if part in shape.what)
    work(1)  # what is made once is made
    (few, asked_of_few), (many, asked_of_many) = work(2 * FEW), work(2 * MANY)

    assert few > 2 * FEW
    assert many <= few * MANY / FEW * ROOM
    assert asked_of_many <= asked_of_few * MANY / FEW * ROOM


def test_an_api_that_nobody_looks_at_takes_no_more_memory_of_very_many_people_than_of_others() -> None:
    (shape,) = (shape for shape in SHAPES if shape.what.startswith("meetings of 200 people"))
    now, told = clock(), Told()
    posts = shape.posts(now, 12_000)
    for post in posts:
        take(post, now, told)
    view = View(CONFIG)
    broadcaster = Broadcaster(view, instance="i", build=lambda _config: "b", freshness=lambda _now: {})
    broadcaster.pin(["today", "1h"], now)
    tracemalloc.start()
    try:
        for number, (topic, key, value) in enumerate(told.heard):
            view.apply(topic, bytes(bytearray(key)), None if value is None else bytes(bytearray(value)))
            if number % AT_ONCE == 0:
                broadcaster.flush(now, most=AT_ONCE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak <= MEMORY_PER_BYTE * sum(len(post.body) for post in posts)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.what)
def test_each_delivery_is_one_that_the_api_takes(shape: Shape) -> None:
    assert all(len(post.body) <= 1 << 20 for post in shape.posts(clock()))


def test_a_delivery_that_names_very_many_people_takes_no_more_memory_than_others() -> None:
    (shape,) = (shape for shape in SHAPES if shape.what.startswith("meetings of 200 people"))
    now = clock()
    costs_of(shape.posts(now, 200), now, Worker(make_config(), partitions=1))  # what is made once is made
    posts = shape.posts(now)
    tracemalloc.start()
    try:
        costs_of(posts, now, Worker(make_config(), partitions=1))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak <= MEMORY_PER_BYTE * sum(len(post.body) for post in posts)
