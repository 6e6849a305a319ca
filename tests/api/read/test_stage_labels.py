"""What stages are called: as the file says, else as the CRM's API does, else by their ids."""

import pytest

from api.read.stage_labels import stage_label
from schemas.connection_states import ConnectionState, decode_state, encode_state, with_labels

STATES = [
    ConnectionState(
        at=1, labels={"default": {"": "Sales", "71": "Verbal yes"}, "9": {"71": "Signed", "82": "On hold"}}
    ),
    ConnectionState(at=1, labels={"1": {"5": "Offer"}}),
    ConnectionState(at=1, labels={"": {"Prospecting": "Erstkontakt"}}),
]


@pytest.mark.parametrize(
    ("pipeline", "stage", "label", "shown"),
    [
        ("default", "71", "71", "Verbal yes"),
        ("9", "71", "71", "Signed"),
        (None, "82", "82", "On hold"),
        (None, "71", "71", "71"),
        ("default", "82", "82", "82"),
        ("default", "71", "As the file says", "As the file says"),
        ("1", "5", "5", "Offer"),
        ("0125g0000000001AAA", "Prospecting", "Prospecting", "Erstkontakt"),
        (None, "Prospecting", "Prospecting", "Erstkontakt"),
        ("1", "first_talk", "First talk", "First talk"),
    ],
)
def test_a_stage_is_called_as_its_pipeline_calls_it(pipeline: str | None, stage: str, label: str, shown: str) -> None:
    assert stage_label(STATES, pipeline, stage, label) == shown


def test_a_renamed_stage_has_its_new_label_and_a_deleted_one_its_last() -> None:
    held = decode_state(encode_state(STATES[0])).labels

    assert with_labels(held, {"default": {"71": "Yes"}}) == {
        "default": {"": "Sales", "71": "Yes"}, "9": {"71": "Signed", "82": "On hold"},
    }  # fmt: skip
