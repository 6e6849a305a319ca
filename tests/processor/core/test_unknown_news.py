"""Unknown names are said once an hour, and only what is new."""

from processor.core.unknown_news import UnknownNews
from schemas.counted_texts import UNKNOWN, UnknownName
from schemas.instants import HOUR
from tests.strategies import NOW


def test_names_are_said_at_once_and_then_once_an_hour_as_far_as_there_were_more() -> None:
    counters: dict[str, int] = {}
    news = UnknownNews()
    assert news.due(counters, NOW) == {}

    UNKNOWN.count(counters, "feed", {("call", "dialedat"): 3}.items())
    assert news.due(counters, NOW + 1) == {"feed": [UnknownName("call", "dialedat", 3)]}

    UNKNOWN.count(counters, "feed", {("call", "dialedat"): 2}.items())
    UNKNOWN.count(counters, "crm", {("kall", "kall"): 1}.items())
    assert news.due(counters, NOW + HOUR) == {}
    assert news.due(counters, NOW + 1 + HOUR) == {
        "crm": [UnknownName("kall", "kall", 1)],
        "feed": [UnknownName("call", "dialedat", 2)],
    }

    assert news.due(counters, NOW + 9 * HOUR) == {}
