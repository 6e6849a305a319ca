"""How values are written: by language, with the same rules as on the wallboard."""

import json
import subprocess
from datetime import date
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel import Locale

import api
from schemas.formats import NOTHING, Formats
from tests.builders import instant

AT = instant("2026-03-18T16:21:30Z")
ROOT = Path(api.__file__).parents[1]


def formats(language: str = "en", zone: str = "UTC") -> Formats:
    return Formats(Locale.parse(language, sep="-"), ZoneInfo(zone))


@pytest.mark.parametrize(
    ("language", "value", "unit", "written"),
    [
        ("en", 1284, "count", "1,284"),
        ("en", 2.25, "number", "2.2"),
        ("en", "184250.00", "money", "$184,250"),
        ("en", "84.50", "money", "$84.50"),
        ("en", "-1200.00", "money", "-$1,200"),
        ("de", "184250.00", "money", "184.250\N{NO-BREAK SPACE}$"),
        ("en", 0.3351, "ratio", "34%"),
        ("en", 0.0123, "ratio", "1.2%"),
        ("en", 0.9996, "ratio", "99.9%"),
        ("en", 0.0004, "ratio", "< 0.1%"),
        ("en", 1, "ratio", "100%"),
        ("en", 5, "seconds", "5s"),
        ("en", 192, "seconds", "3m 12s"),
        ("en", 7500, "seconds", "2h 05m"),
        ("en", 273600, "seconds", "3d 4h"),
        ("en", 12.34, "days", "12.3d"),
        ("en", None, "count", NOTHING),
        ("fa", 1284, "count", "۱٬۲۸۴"),
        ("fa", 0.34, "ratio", "۳۴٪"),
        ("fa", 192, "seconds", "۳ دقیقه ۱۲ ثانیه"),
        ("zh-Hans", 192, "seconds", "3分钟12秒"),
    ],
)
def test_a_value_is_written_as_its_unit_and_language_want(
    language: str, value: int | float | str | None, unit: str, written: str
) -> None:
    assert formats(language).value(value, unit, "USD") == written


def test_a_percentile_without_a_value_says_what_it_is_at_least() -> None:
    assert formats().value(None, "seconds", bound=192) == "> 3m 12s"


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        ("165000.00", "money", "$165K"),
        ("1250000.00", "money", "$1.25M"),
        ("1654321.00", "money", "$1,654,321"),
        ("1654321.50", "money", "$1,654,321.50"),
        ("900.00", "money", "$900"),
        (1654321, "count", "1,654,321"),
        (1500, "count", "1,500"),
        (15000, "count", "15K"),
        (1234, "count", "1,234"),
        (12.25, "count", "12.25"),
        ("137.777778", "count", "137.78"),
        ("0.333333", "count", "0.333333"),
        (0.725, "ratio", "72.5%"),
        (0.9999, "ratio", "99.99%"),
        (2.25, "days", "2.25d"),
        (93645, "seconds", "1d 2h 45s"),
        (19230, "seconds", "5h 20m 30s"),
        (0, "seconds", "0s"),
        (None, "count", NOTHING),
    ],
)
def test_what_was_set_is_not_rounded_to_another_value(value: int | float | str | None, unit: str, written: str) -> None:
    assert formats().exactly(value, unit, "USD") == written


def test_where_there_is_no_short_form_thousands_are_separated() -> None:
    assert formats("de").exactly(36000, "money", "USD") == "36.000\N{NO-BREAK SPACE}$"
    assert formats("de").exactly(165000, "count") == "165.000"
    assert formats("zh-Hans").exactly("165000", "count") == "16.5万"


def test_an_unknown_currency_is_written_by_its_code() -> None:
    assert formats().money(Decimal(1200), "XXQ") == "XXQ1,200"
    assert formats().money(Decimal(1200), None) == "1,200"


def test_dates_are_those_of_the_zone_and_in_persian_of_the_jalali_calendar() -> None:
    assert formats(zone="Asia/Kuala_Lumpur").day(AT) == "Mar 19"
    assert formats("en-GB").full_date(AT) == "Wednesday, 18 March 2026"
    assert formats("de").dates(date(2026, 3, 1), date(2026, 3, 18)) == "1. März 2026 \N{EN DASH} 18. März 2026"
    assert formats("fa").full_date(AT) == "چهارشنبه ۲۷ اسفند ۱۴۰۴"
    assert formats("fa").month(AT) == "اسفند ۱۴۰۴"
    assert (formats().time(AT), formats("fa").time(AT)) == ("16:21", "۱۶:۲۱")


def test_a_moment_of_another_day_has_its_date() -> None:
    assert formats().moment(AT, AT) == "16:21"
    assert formats().moment(AT, AT + 86_400_000_000) == "Mar 18 16:21"


SAME: list[tuple[int | float | str, str]] = [
    (1284, "count"), ("184250.00", "money"), ("-1200.00", "money"), (0.3351, "ratio"), (0.0123, "ratio"),
    (0.9996, "ratio"), (5, "seconds"), (192, "seconds"), (7500, "seconds"), (273600, "seconds"), (12.34, "days"),
]  # fmt: skip


@pytest.mark.parametrize("language", ["en", "de", "fa"])
def test_the_wallboard_writes_the_same(language: str) -> None:
    """By digits and signs; blanks and the width of a unit's name are each library's own."""
    script = (
        f"import {{ Formats }} from {json.dumps(str(ROOT / 'api/static/format.js'))};"
        f"const formats = new Formats({json.dumps(language)}, 'UTC');"
        f"console.log(JSON.stringify({json.dumps(SAME)}.map(([v, u]) => formats.value(v, u, 'USD'))));"
    )
    asked = subprocess.run(["node", "--input-type=module", "-e", script], capture_output=True, text=True, check=True)

    def signs(text: str) -> str:
        return "".join(each for each in text.replace("\N{MINUS SIGN}", "-") if each.isdigit() or each in "%٪<-$")

    ours = formats(language)
    assert [signs(text) for text in json.loads(asked.stdout)] == [
        signs(ours.value(value, unit, "USD")) for value, unit in SAME
    ]
