"""Words of messages: every language says everything, and writes numbers, money and dates as its people do."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from schemas.config.screens import LANGUAGES
from schemas.words import language_file, words_of

ROOT = Path(__file__).parents[2]
CODE = [*(ROOT / "schemas").rglob("*.py"), *(ROOT / "processor").rglob("*.py")]


def places(text: object) -> set[str]:
    texts = text.values() if isinstance(text, dict) else [text]
    return {place for each in texts for place in re.findall(r"\{(\w+)\}", str(each))}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_says_everything_with_the_same_values(language: str) -> None:
    english, words = words_of("en").texts, words_of(language).texts

    assert {text: places(said) for text, said in words.items()} == {
        text: places(said) for text, said in english.items()
    }
    assert all("other" in said for said in words.values() if isinstance(said, dict))


def test_every_text_that_is_said_is_in_the_catalogue_and_every_one_of_it_is_said() -> None:
    source = "\n".join(path.read_text("utf-8") for path in CODE)
    said = set(re.findall(r'\b_?say\(\s*"([\w.]+)"', source))
    said |= {f"digest.{column}" for column in ("metric", "today", "before", "change")}
    said |= {f"alert.{level}" for level in ("warn", "breach", "escalate", "resolved", "back")}
    said |= {f"alert.{part}" for part in ("below", "above", "reaches", "leads", "metrics")}
    assert said <= set(words_of("en").texts)
    assert set(language_file("en")["messages"]) <= said


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("en", ["12,345.5", "12%", "5.5%", "+25%", "€12,000", "€12.50", "1h 02m",
                "Wednesday, March 18, 2026", "17:30"]),
        ("de", ["12.345,5", "12\xa0%", "5,5\xa0%", "+25\xa0%", "12.000\xa0€", "12,50\xa0€", "1 Std., 02 Min.",
                "Mittwoch, 18. März 2026", "17:30"]),
        ("fa", ["۱۲٬۳۴۵٫۵", "۱۲٪", "۵٫۵٪", "+۲۵٪", "\u200e€\xa0۱۲٬۰۰۰", "\u200e€\xa0۱۲٫۵۰", "۱ ساعت ۰۲ دقیقه",
                "چهارشنبه ۲۷ اسفند ۱۴۰۴", "۱۷:۳۰"]),
        ("id", ["12.345,5", "12%", "5,5%", "+25%", "€12.000", "€12,50", "1 jam, 02 mnt",
                "Rabu, 18 Maret 2026", "17:30"]),
    ],
)  # fmt: skip
def test_numbers_and_dates_are_written_as_its_people_do(language: str, written: list[str]) -> None:
    words = words_of(language)
    told = [
        words.number(12345.5), words.formats.share(0.123), words.formats.share(0.055), words.change(0.25),
        words.formats.money(Decimal(12000), "EUR"), words.formats.money(Decimal("12.50"), "EUR"),
        words.formats.duration(3725),
        words.formats.full_date(date(2026, 3, 18)), words.time(datetime(2026, 3, 18, 17, 30, tzinfo=UTC)),
    ]  # fmt: skip

    assert [text.replace("\u202f", "\xa0") for text in told] == written


def test_a_value_that_looks_like_a_place_is_none() -> None:
    assert words_of("en").say("win.of", what="{who}", who="{what}") == "{who}: {what}"


def test_less_is_written_with_a_minus_and_nothing_is_zero_seconds() -> None:
    assert (words_of("en").change(-0.5), words_of("en").formats.duration(0)) == ("\N{MINUS SIGN}50%", "0s")
