"""What the parts of a number are called."""

from datetime import UTC
from typing import Any

import pytest
from babel import Locale

from api.words.parts import part_name, stage_name
from api.words.texts import ReaderWords
from schemas.catalogue.dimensions import Dimension
from schemas.catalogue.reading import shipped
from schemas.catalogue.rules import PipelineStages
from schemas.formats import Formats

SHIPPED = shipped().metrics.dimensions
PIPELINES = (
    PipelineStages("sales", ("s1", "s2"), ("s9",), (("s1", "Termin"), ("s2", "Angebot"))),
    PipelineStages("renewals", ("s1", "first_call"), (), (("s1", "Anruf"),)),
)


def named(dimension: Dimension, label: str, language: str = "de") -> str:
    words = ReaderWords(language)
    return part_name(dimension, label, words, Formats(Locale.parse(language, sep="-"), UTC), PIPELINES)


@pytest.mark.parametrize(
    ("name", "label", "said"),
    [
        ("kind", "cross_sell", "Cross-Selling"),
        ("kind", "new", "Neugeschäft"),
        ("kind", "none", "nicht genannt"),
        ("response_band", "5m", "bis 5 Min."),
        ("response_band", "1h", "bis 1 Std."),
        ("response_band", "later", "später"),
        ("response_band", "never", "nie"),
        ("response_band", "unknown", "nicht bekannt"),
        ("tenure", "3mo", "unter 3 Monaten"),
        ("tenure", "older", "länger"),
        ("product", "Other", "Sonstige"),
        ("product", "Pro", "Pro"),
        ("region", "new", "new"),
        ("role", "Other", "Other"),
    ],
)
def test_what_stands_for_something_is_said_and_names_are_left_alone(name: str, label: str, said: str) -> None:
    assert named(SHIPPED[name], label).replace("\u202f", " ").replace("\xa0", " ") == said


def test_it_is_said_in_the_language_of_the_page() -> None:
    assert named(SHIPPED["tenure"], "12mo", "fa") == "کمتر از ۱۲ ماه"
    assert named(SHIPPED["response_band"], "15m", "zh-Hans") == "15分钟以内"
    assert named(SHIPPED["kind"], "renewal", "en") == "Renewal"


@pytest.mark.parametrize(
    ("fields", "label", "said"),
    [
        ({"of": "call.outcome"}, "no_answer", "Keine Antwort"),
        ({"of": "lead.status"}, "new", "Neu"),
        ({"of": "lead.source", "values": {"Other": ["x"]}, "other": "Rest"}, "Other", "Other"),
        ({"of": "lead.source", "values": {}, "other": "Rest"}, "Rest", "Rest"),
        ({"of": "rep.since", "bands": ["1y"]}, "1y", "unter 12 Monaten"),
        ({"of": "lead.response", "bands": ["90m", "2d"]}, "90m", "bis 90 Min."),
        ({"of": "lead.response", "bands": ["90m", "2d"]}, "2d", "bis 2 T"),
    ],
)
def test_dimensions_of_your_own_too(fields: dict[str, Any], label: str, said: str) -> None:
    found = named(Dimension.model_validate(fields), label)

    assert found.replace("\u202f", " ").replace("\xa0", " ") == said


def test_stages_are_called_as_their_pipeline_calls_them() -> None:
    assert stage_name("renewals", "s1", PIPELINES) == "Anruf"
    assert stage_name(None, "s1", PIPELINES) == "Termin"
    assert stage_name("renewals", "first_call", PIPELINES) == "First call"
    assert stage_name("gone", "s1", PIPELINES) == "S1"
    assert stage_name("sales", "lost_it", ()) == "Lost it"
    assert named(SHIPPED["stage"], "s2") == "Angebot"
