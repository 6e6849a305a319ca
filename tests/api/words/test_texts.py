"""The texts of the pages: every language has all of them, and no template says anything that is in no catalogue."""

import re
from pathlib import Path
from string import Formatter

import pytest
from babel import Locale
from jinja2 import Environment, nodes

import api
from api.words.texts import ReaderWords, words_for
from schemas.catalogue.reading import shipped
from schemas.config.screens import LANGUAGES
from schemas.words import language_file

API = Path(api.__file__).parent
TEMPLATES = sorted((API / "templates" / "people").glob("*.html"))
BOARD_TEMPLATES = sorted((API / "templates").glob("*.html"))
SOURCES = [
    *sorted((API / "http" / "people").glob("*.py")),
    *(API / "http" / name for name in ("routes/people.py", "pages.py", "board_page.py")),
]
OWN = {language: ReaderWords(language) for language in LANGUAGES}
KEYS = list(language_file("en")["pages"])


def holes(text: object) -> set[str]:
    words = [text] if isinstance(text, str) else list(text.values())  # type: ignore[attr-defined]
    return {name for each in words for _, name, _, _ in Formatter().parse(each) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_text_with_the_same_places_to_fill_in(language: str) -> None:
    words, english = OWN[language], OWN["en"]

    assert set(words.texts) == set(english.texts)
    for key, text in words.texts.items():
        assert holes(text) == holes(english.texts[key]), key
        if not isinstance(text, str):
            assert set(text) == set(Locale.parse(language, sep="-").plural_form.tags) | {"other"}, key


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_a_language_is_no_copy_of_english(language: str) -> None:
    same = [key for key in KEYS if OWN[language].texts[key] == OWN["en"].texts[key]]

    # Names of things that are called the same, and what is only filled in.
    assert len(same) < 12, same


def test_every_text_is_said_somewhere() -> None:
    code = "".join(path.read_text("utf-8") for path in [*TEMPLATES, *SOURCES])
    together = tuple(set(re.findall(r"[\"']([a-z_.]+\.)[\"'] ~", code)) | set(re.findall(r"f\"([a-z_.]+\.)\{", code)))

    assert together
    unsaid = [
        key for key in KEYS if not key.startswith(together) and not re.search(rf"[\"']{re.escape(key)}[\"']", code)
    ]
    assert unsaid == []


def test_every_text_that_is_said_is_there() -> None:
    said = {
        key
        for path in [*TEMPLATES, *SOURCES]
        for key in re.findall(r"say\([\"']([a-z_0-9.]+[a-z0-9_])[\"'][,)]", path.read_text("utf-8"))
    }

    assert len(said) > 80
    assert said - set(OWN["en"].texts) == set()


WORDS = re.compile(r"[^\W\d_]{2,}")


@pytest.mark.parametrize("path", [*TEMPLATES, *BOARD_TEMPLATES], ids=lambda path: path.name)
def test_no_template_says_what_is_in_no_catalogue(path: Path) -> None:
    tree = Environment(autoescape=True).parse(path.read_text("utf-8"))
    text = "".join(node.data for node in tree.find_all(nodes.TemplateData))
    # What stands between tags is read, and so is what these attributes say; what begins with $ is filled in.
    read = re.sub(r"<(style|script)\b.*?</\1>|<[^>]*>|\$\w+", " ", text, flags=re.DOTALL)
    spoken = re.findall(r'(?:aria-label|title|alt|placeholder)="([^"]*)"', text)

    assert WORDS.findall(" ".join([read, *spoken])) == []


def test_one_and_many_and_numbers() -> None:
    assert OWN["en"].say("freshness.verified", time="12:03", count=1) == "verified 12:03, 1 difference"
    assert OWN["en"].say("freshness.verified", time="12:03", count=1234) == "verified 12:03, 1,234 differences"
    assert OWN["fa"].say("open.more", count=1234) == "و ۱٬۲۳۴ مورد دیگر"
    calls = shipped().metrics["calls_made"]
    assert OWN["de"].metric("calls_made", calls) == "Anrufe"
    assert OWN["de"].metric("our_own", calls) == "Calls made"
    assert (OWN["fa"].direction, OWN["de"].direction) == ("rtl", "ltr")


@pytest.mark.parametrize(
    ("accepts", "language"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr, fa;q=0.5, en;q=0.4", "fa"),
        ("zh-TW", "zh-Hant"),
        ("zh-CN", "zh-Hans"),
        ("zh-Hant-HK", "zh-Hant"),
        ("en;q=0, id", "id"),
        ("xx", "ms"),
        ("", "ms"),
        (";;;,q=1,*", "ms"),
    ],
)
def test_the_language_is_the_browsers_else_that_of_the_house(accepts: str, language: str) -> None:
    assert words_for(None, accepts, "ms").language == language


def test_who_asks_for_a_language_gets_it() -> None:
    assert words_for("fa", "de", "en").language == "fa"
    assert words_for(None, "en-GB", "de").locale == Locale("en", "GB")
    assert words_for(None, "", "xx").language == "en"
