"""Whether an answer says anything that is not known yet."""

from deploy.lookups.comparing import instants_of_news
from schemas.instants import HOUR
from schemas.records import fold_all
from tests.builders import change, instant

MADE, ASKED = "2026-03-16T08:00Z", instant("2026-03-16T12:00Z")


def test_what_was_said_of_an_instant_is_no_news_though_another_word_on_it_wins() -> None:
    said = [
        change("lead", "1", MADE, status="new"),
        change("lead", "1", MADE, status="qualified"),
        change("lead", "1", "2026-03-16T09:00Z", status="qualified"),
    ]
    known = fold_all("lead", said)
    for again in said[:2]:
        assert instants_of_news([again], lambda _kind, _id: known, ASKED, is_exact=False) == []
    other = change("lead", "1", MADE, status="disqualified")
    assert instants_of_news([other], lambda _kind, _id: known, ASKED, is_exact=False) == [instant(MADE)]


def test_each_instant_of_news_is_told() -> None:
    known = fold_all("call", [change("call", "1", MADE, rep="r1", outcome="no_answer")])
    later = instant(MADE) + HOUR
    answer = [change("call", "1", later, outcome="connected"), change("call", "1", ASKED, lead="l1")]
    assert instants_of_news(answer, lambda _kind, _id: known, ASKED) == [later, ASKED]
