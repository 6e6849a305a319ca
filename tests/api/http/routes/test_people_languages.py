"""`/floor` and `/me` in every language: nothing that people read there is in no catalogue."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from api.words.texts import ReaderWords
from schemas.catalogue.reading import shipped
from schemas.config.screens import LANGUAGES
from schemas.words import language_file
from tests.api.fakes import FakeActions
from tests.api.http.routes.test_people import BROWSER, GOALS, NOW, Page, breach, call, money
from tests.api.reading import floor_config
from tests.builders import change

OTHERS = [language for language in LANGUAGES if language != "en"]
LATIN = re.compile(r"[A-Za-z]{2,}")
WORD = re.compile(r"[^\W\d_]{2,}")
SAID_BY_PEOPLE = (
    "Ana Ben Cleo Dora North south Kim Doe Lena Fox Acme Sons Globex web demo_request Test Sales main more calls "
    "revenue Demo Call Won it referral Lost price Talk Trial"
)
"""Names of this floor: of people, companies, goals, pipelines, sources and stages."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
KEPT = {
    # What is called so everywhere, and words of configuration that definitions quote.
    "CSV", "CRM", "SLA", "MRR", "ARR", "USD", "floorcast", "yaml", "keys", "create", "scope", "read", "rep", "ID",
    "connected", "held", "no_show", "no", "show", "demo", "visitors", "cost", "tool_used", "tool", "used",
    "cold_sources", "cold", "sources", "lead_response", "lead", "response", "stop", "missed_after", "missed", "after",
    "quiet_after", "quiet", "funnels", "API", "me", "token", "nowhere", "min", *MONTHS,
}  # fmt: skip


class Spoken(HTMLParser):
    """What of a page is read or heard, piece by piece."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.pieces: set[str] = set()
        self._unread: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        # The names of languages are those of the languages; what a program says of an address is marked as English.
        if tag in {"style", "script"} or (tag != "html" and "lang" in given):
            self._unread.append(tag)
        if not self._unread:
            for name in ("aria-label", "title", "alt", "placeholder", "data-lost"):
                self._say(given.get(name))

    def handle_endtag(self, tag: str) -> None:
        if self._unread and self._unread[-1] == tag:
            self._unread.pop()

    def handle_data(self, data: str) -> None:
        if not self._unread:
            self._say(data)

    def _say(self, text: str | None) -> None:
        text = " ".join((text or "").split())
        if WORD.search(text):
            self.pieces.add(text)


@pytest.fixture
def floor(tmp_path: Path) -> Page:
    config = floor_config(
        goals=GOALS,
        pipelines={"main": {"steps": ["demo", "offer"], "labels": {"offer": "Talk"}}, "more": {"steps": ["call"]}},
    )
    floor = Page(tmp_path, config, NOW)
    floor.take(
        *(call(f"c{number}", "r1") for number in range(3)),
        call("c-cleo", "r3"),
        change("lead", "l1", rep="r1", name="Kim Doe", source="demo_request", received_at="2026-03-18T07:00Z"),
        change("lead", "l3", rep="r3", name="Lena Fox", source="web", received_at="2026-03-18T07:30Z"),
        change("deal", "d1", rep="r1", name="Acme & Sons", status="open", stage="demo", pipeline="main", **money(900)),
        change("deal", "d3", rep="r3", name="Globex", status="open", stage="offer", pipeline="main", **money(500)),
        change("deal", "w1", rep="r1", name="Won it", status="won", kind="new", closed_at="2026-03-18T05:00Z",
               **money(250)),
        change("deal", "w2", rep="r1", name="Won it", status="won", kind="cross_sell", closed_at="2026-03-18T05:00Z",
               **money(250)),
        change("deal", "x1", rep="r1", name="Lost", status="lost", closed_at="2026-03-18T05:00Z", **money(50)),
    )  # fmt: skip
    floor.view.advance(floor.now)
    breach(floor, "l1")
    floor.app.state.alert_actions = FakeActions()
    return floor


ADDRESSES = [
    "/floor?window=month&compare=last_year",
    "/floor?window=month&by=kind",
    "/floor?window=month&by=response_band&metrics=lead_conversion_rate",
    "/floor?window=month&by=tenure",
    "/floor?window=month&by=stage&metrics=time_in_stage_days_p50",
    "/floor?from=2020-01-01&to=2020-02-01&metrics=contacts_mailed,calls_made",
    "/floor?window=1h&compare=share",
    "/floor?team=nowhere",
    "/floor?metrics=nowhere",
    "/floor?window=nowhere",
    "/floor?from=nowhere&to=2026-01-01",
    "/floor?by=nowhere",
    "/floor/nowhere",
]


async def spoken(floor: Page, language: str, address: str, token: str, cookie: str) -> set[str]:
    headers = BROWSER | {"accept-language": language, "cookie": f"{cookie}={token}"}
    return Spoken((await floor.get(address, headers=headers)).text).pieces


@pytest.mark.parametrize("language", OTHERS)
async def test_nothing_is_said_in_english(floor: Page, language: str) -> None:
    admin, rep = floor.token("admin"), floor.token("rep", rep="r1")
    keys = [
        *((address, admin, "floorcast_floor") for address in ADDRESSES),
        ("/me", rep, "floorcast_me"),
        ("/floor", rep, "floorcast_floor"),
        ("/floor", "fc_no.key", "floorcast_floor"),
        ("/me", "", "other"),
    ]
    same = [re.compile(_pattern(text)) for text in _texts(language) & _texts("en")]
    known = KEPT | set(SAID_BY_PEOPLE.replace("_", " ").split())

    for address, token, cookie in keys:
        pieces = await spoken(floor, language, address, token, cookie)
        english = await spoken(floor, "en", address, token, cookie)
        assert len(pieces) > 1, address
        if language in {"fa", "zh-Hans", "zh-Hant"}:
            assert {word for piece in pieces for word in LATIN.findall(piece.replace("_", " "))} - known == set(), (
                address
            )
        else:
            left = {piece for piece in pieces & english if not set(WORD.findall(piece.replace("_", " "))) <= known}
            assert {piece for piece in left if not any(each.fullmatch(piece) for each in same)} == set(), address


def _pattern(text: str) -> str:
    """What a text may become: only figures and dates are filled in that are the same in two languages."""
    return re.sub(r"\\\{\w+\\\}", r"[\\d\\W]*", re.escape(text))


def _texts(language: str) -> set[str]:
    words = ReaderWords(language)
    said = [
        text for text in [*words.texts.values(), *language_file(language)["segments"].values()] if isinstance(text, str)
    ]
    catalogue = shipped().metrics
    return {*said, *(words.metric(name, entry) for name, entry in catalogue.items()), *(
        words.tag(tag) for entry in catalogue.values() for tag in entry.tags
    )}  # fmt: skip


async def test_every_metric_stands_there_with_what_it_counts(floor: Page) -> None:
    german = (await floor.get("/floor", headers=BROWSER | {"accept-language": "de"})).text
    everything = german.partition('id="all-metrics"')[2]

    words = ReaderWords("de")
    for name, entry in shipped().metrics.items():
        if floor.view.catalogue.get(name) is not None and floor.view.funnel(name) is None:
            assert f">{words.metric(name, entry)}</a>" in everything, name
            assert words.description(name, entry).split(":")[0] in everything, name
    assert everything.count('class="tag">Frühindikator<') > 40


async def test_your_own_metrics_are_called_as_you_call_them(tmp_path: Path) -> None:
    own = """
metrics:
  calls_made: {label: Dials, description: Whatever we call a dial., type: simple, unit: count, from: call,
               where: {direction: outbound}, at: dialed_at, credit: rep, agg: count, tags: [ours, leading]}
"""
    floor = Page(tmp_path, floor_config(defines=own), NOW)
    page = (await floor.get("/floor", headers=BROWSER | {"accept-language": "de"})).text

    assert ">Dials</a>" in page
    assert "Whatever we call a dial." in page
    assert 'class="tag">ours<' in page
    assert ">Anrufe</a>" not in page
