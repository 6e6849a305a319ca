"""`floorcast backfill NAME` without a file: what is wrong use is told before anybody is asked."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from deploy.cli import app
from tests.ports import refused_port

CONNECTIONS = {
    "pd": {"kind": "pipedrive", "secrets": ["user:a-long-password"], "api": {"company": "acme", "token": "0123456789"}},
    "floor": {"kind": "generic", "secrets": ["whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="]},
}


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["nope"], 2, "nope: is not a connection of the configuration (floor, pd)"),
        (["floor"], 2, "connections.floor: has no api to ask"),
        (["pd", "--records", "deal,sheep"], 2, "--records: sheep: this API has call, deal, email, lead, meeting"),
        (["pd", "--since", "soon"], 2, "--since: must be a duration such as 30d, or an RFC 3339 instant"),
        (["pd", "--records", "deal"], 3, "no Kafka answers at"),
    ],
    ids=["name", "no api", "records", "since", "no Kafka"],
)
def test_wrong_use_is_told_before_a_kafka_that_is_not_there(
    tmp_path: Path, words: list[str], code: int, told: str
) -> None:
    said = {"organisation": {"name": "A", "timezone": "UTC", "currency": "EUR"}, "connections": CONNECTIONS}
    config = tmp_path / "floorcast.yaml"
    config.write_text(yaml.safe_dump(said), encoding="utf-8")
    with refused_port() as port:
        place = ["--config", str(config), "--data", str(tmp_path / "data"), "--broker", f"127.0.0.1:{port}"]
        found = CliRunner().invoke(app, ["backfill", *words, *place])

    assert found.exit_code == code
    assert told in found.output
