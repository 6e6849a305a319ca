"""The Grafana dashboards as code: what they show, and the JSON that Grafana is provisioned with.

Run it after a change: `python -m deploy.grafana.generate` writes `dashboards/*.json`, `--check` tells what differs.
The series are the api's (api/read/exposition.py), the rules those of deploy/prometheus.
"""

import argparse
import difflib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.grafana.floor import SALES_FLOOR
from deploy.grafana.funnel import FUNNEL
from deploy.grafana.goals import GOALS
from deploy.grafana.lead_response import LEAD_RESPONSE
from deploy.grafana.pipeline import PIPELINE
from deploy.grafana.rep import REP_BOARD
from deploy.grafana.tags import tag_boards
from schemas.catalogue import Catalogue
from schemas.catalogue.reading import shipped

FOLDER = Path(__file__).parent / "dashboards"
_OF_ALL = (SALES_FLOOR, REP_BOARD, LEAD_RESPONSE, GOALS, FUNNEL, PIPELINE)


def dashboard_files(catalogue: Catalogue) -> dict[str, str]:
    """File name -> content of every dashboard."""
    return {
        f"{each.uid.removeprefix('floorcast-')}.json": json.dumps(each.model(), indent=2) + "\n"
        for each in (*_OF_ALL, *tag_boards(catalogue))
    }


def dashboard_differences(folder: Path) -> list[str]:
    """Compare what lies in `folder` with what would be written, as a diff; empty if it is right."""
    made = dashboard_files(shipped().metrics)
    lines_of_diff: list[str] = []
    for name in sorted(made.keys() | {path.name for path in folder.glob("*.json")}):
        path = folder / name
        there = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        lines_of_diff += difflib.unified_diff(there, made.get(name, "").splitlines(), name, "generated", lineterm="")
    return lines_of_diff


def main(arguments: Sequence[str]) -> int:
    """Write the files, or only tell what differs (1)."""
    parser = argparse.ArgumentParser(description="Write the Grafana dashboards.")
    parser.add_argument("--check", action="store_true", help="only tell what differs")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the dashboards lie")
    chosen = parser.parse_args(arguments)
    if chosen.check:
        found = dashboard_differences(chosen.folder)
        for line in found:
            sys.stdout.write(line + "\n")
        return 1 if found else 0
    chosen.folder.mkdir(parents=True, exist_ok=True)
    made = dashboard_files(shipped().metrics)
    for path in chosen.folder.glob("*.json"):
        if path.name not in made:
            path.unlink()
    for name, content in made.items():
        (chosen.folder / name).write_text(content, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
