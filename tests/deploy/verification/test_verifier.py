"""What has to be so before anything is compared. Rounds themselves are in tests/integration/test_verification.py."""

from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from structlog.testing import capture_logs

from deploy.local.target import Instance
from deploy.verification.verifier import Verifier, main, told_of_round
from deploy.verification.verify import VerifyError
from schemas.config import ConfigError
from schemas.exit_codes import ExitCode
from schemas.instants import MINUTE, parse_instant
from schemas.verifications import VERIFICATION_KEY, Difference, WindowComparison, decode_verification
from tests.builders import make_config, make_verification
from tests.processor.transport.floor import create_topics, produce

NOW = parse_instant("2026-03-18T15:30:20Z")
CONFIGURATION: dict[str, Any] = {
    "organisation": {"name": "Acme", "timezone": "UTC", "currency": "USD"},
    "connections": {"feed": {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}},
}


def target(folder: Path, **sections: Any) -> Instance:
    path = folder / "floorcast.yaml"
    path.write_text(yaml.safe_dump(CONFIGURATION | sections))
    return Instance("127.0.0.1:1", "floorcast.", path, "http://127.0.0.1:1")


def verifier(folder: Path, answer: httpx.Response) -> Verifier:
    transport = httpx.MockTransport(lambda _request: answer)
    return Verifier(target(folder), url="http://127.0.0.1:1", key=None, every=5 * MINUTE, transport=transport)


@pytest.mark.parametrize("answer", [{"definitions": "others"}, {}], ids=["others", "an older api"])
async def test_nothing_is_compared_while_other_definitions_are_in_force(tmp_path: Path, answer: dict[str, str]) -> None:
    with pytest.raises(VerifyError, match="other definitions are in force") as refused:
        await verifier(tmp_path, httpx.Response(200, json=answer)).round()

    assert refused.value.exit_code == ExitCode.UNREACHABLE


async def test_an_api_that_wants_a_key_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match="FLOORCAST_API_KEY"):
        await verifier(tmp_path, httpx.Response(401)).round()


async def test_a_configuration_that_has_become_wrong_ends_the_round_and_not_the_process(tmp_path: Path) -> None:
    watching = verifier(tmp_path, httpx.Response(200, json={}))
    target(tmp_path, organisation={"timezone": "nowhere"})

    with pytest.raises(ConfigError):
        await watching.round()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [("url", "--url: must begin with"), ("config", "organisation.name: is missing"), ("folder", "cannot be used")],
)
def test_what_can_never_be_compared_is_wrong_use(tmp_path: Path, wrong: str, words: str) -> None:
    chosen = target(tmp_path, **({"organisation": {}} if wrong == "config" else {}))
    if wrong == "url":
        chosen = Instance(chosen.broker, chosen.prefix, chosen.config, "ftp://127.0.0.1")
    folder = tmp_path / "floorcast.yaml" / "verify" if wrong == "folder" else tmp_path

    with capture_logs() as log:
        assert main(chosen, None, every=5 * MINUTE, folder=folder) == ExitCode.WRONG_USE
    assert [(line["event"], line["code"]) for line in log] == [("process.ended", ExitCode.WRONG_USE)]
    assert words in log[0]["why"]


@pytest.mark.kafka
async def test_an_outcome_that_cannot_be_read_is_told_with_its_place_and_taken_for_none(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    topic = f"{prefix}verifications"
    await create_topics(kafka, [topic], partitions=1, configs={})
    await produce(kafka, topic, 0, [(b"other", b"x"), (VERIFICATION_KEY, b"of a later version")])
    chosen = Instance(kafka, prefix, target(tmp_path).config, "http://127.0.0.1:1")
    watching = Verifier(chosen, url="http://127.0.0.1:1", key=None, every=5 * MINUTE)

    with capture_logs() as log:
        assert await watching._last_outcome() is None

    assert {"event": "message.unreadable", "topic": topic, "partition": 0, "offset": 1, "log_level": "error"} in log


def test_a_round_is_told_without_values_and_ids() -> None:
    found = decode_verification(
        make_verification(
            make_config(),
            NOW,
            windows=(WindowComparison("today", NOW, 2, 1), WindowComparison("year", NOW)),
            compared=("today",),
            first=(Difference("today", "rep", "calls_made"),),
        )
    )

    assert told_of_round(found) == {
        "as_of": "2026-03-18T15:30:20.000Z", "differences": 2, "undecided": 1, "windows": 2, "compared": ["today"],
        "first": ["calls_made of rep in today"],
    }  # fmt: skip
