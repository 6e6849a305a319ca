"""What a process imports: whoever starts one waits for that, and after a crash so does the floor."""

import subprocess
import sys

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
