"""The worst legal deliveries: what they cost grows as they do, and not faster."""

import cProfile
import tracemalloc

import pytest

from tests.builders import make_config
from tests.faults.cost import Worker, costs_of, take
from tests.faults.worst import MEMORY_PER_BYTE, SHAPES, Shape, clock

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
