"""What a process imports: whoever starts one waits for that, and after a crash so does the floor."""

import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = "organisation: {name: x, timezone: UTC, currency: USD}\\nconnections: {files: {kind: file}}\\n"
READ = f"from schemas.config import parse_config; parse_config('{CONFIG}', {{}})"


def imported(*modules: str) -> set[str]:
    """What a process has imported that runs these modules and reads a configuration."""
    look = f"import sys, {', '.join(modules)}; {READ}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", look], check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize("module", ["processor.app", "api.app"])
def test_no_kind_of_connection_is_imported_that_the_configuration_does_not_name(module: str) -> None:
    found = imported(module)

    assert "schemas.connectors.file" in found
    assert not {f"schemas.connectors.{vendor}" for vendor in ("aircall", "hubspot", "salesforce", "zoho")} & found


def test_what_libraries_import_for_uses_that_a_worker_has_not_is_left_out_and_there_for_whoever_asks(
    tmp_path: Path,
) -> None:
    folder = str(tmp_path)
    look = (
        "import sys; from pathlib import Path; from deploy.cli.left_out import left_out\n"
        "with left_out():\n"
        "    import processor.app\n"
        "    from processor.transport.worker import build_batched_app\n"
        f"build_batched_app(name='a', bootstrap='a:1', stages={{'t': None}}, partitions=1, datadir=Path({folder!r}))\n"
        "print(*sys.modules)\n"
        "import aiohttp, pytz, rich.progress, venusian\n"
        "from croniter.croniter import croniter\n"
        "aiohttp.ClientTimeout(total=1), aiohttp.client.ClientSession.post, rich.progress.Progress()\n"
        "venusian.Scanner()\n"
        "croniter('0 0 * * *').get_next(), pytz.timezone('Europe/Berlin')\n"
    )
    done = subprocess.run([sys.executable, "-c", look], check=True, capture_output=True, text=True)
    found = done.stdout.split()

    assert "faust.types.web" in found
    unused = {"aiohttp", "rich", "pygments", "croniter", "pytz", "venusian"}
    assert not {name.partition(".")[0] for name in found} & unused
