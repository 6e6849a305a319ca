"""The unit that runs floorcast on a server."""

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.supervisor import STOP_SECONDS
from schemas.exit_codes import ExitCode

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "floorcast.service"


def section(name: str) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, strict=False, comment_prefixes="#", delimiters="=")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return parser[name]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not there")
def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    # The program is installed elsewhere than a test may write.
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/floorcast/.venv/bin/floorcast", sys.executable))

    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)

    assert (done.returncode, [line for line in done.stderr.splitlines() if UNIT.name in line]) == (0, [])


def test_it_waits_longer_than_up_takes_to_end_and_leaves_the_order_to_it() -> None:
    service = section("Service")
    assert int(service["TimeoutStopSec"]) > STOP_SECONDS
    assert service["KillMode"] == "mixed"


def test_what_is_wrong_is_not_tried_again_and_what_failed_is() -> None:
    service = section("Service")
    assert service["Restart"] == "on-failure"
    assert service["RestartPreventExitStatus"] == str(int(ExitCode.WRONG_USE))


def test_what_it_keeps_is_its_own() -> None:
    service = section("Service")
    assert (service["StateDirectoryMode"], service["UMask"]) == ("0700", "0077")
    assert f"--data /var/lib/{service['StateDirectory']}" in service["ExecStart"]
    # Kafka's machine code is made while it runs.
    assert "MemoryDenyWriteExecute" not in service
