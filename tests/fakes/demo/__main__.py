"""`make demo CRM=hubspot` or `CRM=salesforce`: the demo over a fake of that CRM on this machine.

Six hours of history lie in the CRM before floorcast first hears of it. HubSpot's is brought by `floorcast backfill`, as
a new user would do it; Salesforce's change events of the last three days come by themselves. Then the floor works on,
and webhooks are lost and repeated as in life: what was lost, reconciliation brings.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from deploy.simulator.floor import Mix, SimulatedFloor
from deploy.simulator.running import empty_folder, local_timezone, working_timezone
from schemas.instants import HOUR
from tests.fakes.demo.hubspot import HubSpotDemo
from tests.fakes.demo.running import Floorcast, FloorcastError
from tests.fakes.demo.salesforce import SalesforceDemo

_TEMPLATE = Path(__file__).parents[3] / "deploy" / "simulator" / "floorcast.yaml"
_MIX = Mix(duplicates=0, late=0, edits=0.02, deletions=0.003)
"""A CRM tells of each thing once, in order; what its webhooks make of it is the fake's."""
_HISTORY, _EVENTS = 6 * HOUR, 2400


class Crm(Protocol):
    """A fake CRM in which the floor works."""

    name: str

    def serving(self) -> Any: ...
    def connection(self) -> dict[str, Any]: ...
    def happened(self, event: Mapping[str, Any]) -> None: ...
    def happens(self, event: Mapping[str, Any], floorcast: str) -> None: ...


_CRMS: Mapping[str, Callable[[int], Crm]] = {"hubspot": HubSpotDemo, "salesforce": SalesforceDemo}


def main() -> int:
    """Run until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("crm", choices=sorted(_CRMS))
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--data", type=Path, default=Path(".floorcast"))
    parser.add_argument("--rate", type=float, default=1.5, help="events per second")
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    folder = (chosen.data / f"demo-{chosen.crm}").absolute()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    empty_folder(folder)
    crm: Crm = _CRMS[chosen.crm](chosen.seed)
    try:
        with crm.serving():
            return _run(crm, folder, chosen.port, chosen.rate, SimulatedFloor(chosen.seed, mix=_MIX))
    except KeyboardInterrupt:
        return 0
    except FloorcastError as error:
        _say(str(error))
        return 1


def _run(crm: Crm, folder: Path, port: int, rate: float, floor: SimulatedFloor) -> int:
    start = time.time_ns() // 1000 - _HISTORY
    for number in range(_EVENTS):
        crm.happened(floor.next(start + number * _HISTORY // _EVENTS))
    config = _configured(crm, folder)
    with Floorcast(config, folder, port, _say) as floorcast:
        _say(f"ready {floorcast.url}, beside a {crm.name} of its own with six hours of work in it")
        _say(f"wallboard {floorcast.url}/board/floor")
        for name, connection in crm.connection().items():
            if connection["kind"] != "salesforce":
                floorcast.run(["backfill", name, "--since", "1d"])
        due = time.monotonic()
        while True:
            crm.happens(floor.next(time.time_ns() // 1000), floorcast.url)
            due = max(due + 1 / rate, time.monotonic() - 1)
            time.sleep(max(0.0, due - time.monotonic()))


def _configured(crm: Crm, folder: Path) -> Path:
    zone = working_timezone(time.time_ns() // 1000, local_timezone())
    # As text: read as YAML 1.1 has it, `on` would be another word.
    text = _TEMPLATE.read_text(encoding="utf-8").replace("TIMEZONE", zone)
    before, _, rest = text.partition("connections:\n")
    _, _, behind = rest.partition("\n")
    path = folder / "floorcast.yaml"
    path.touch(mode=0o600)
    path.write_text(f"{before}connections: {json.dumps(crm.connection())}\n{behind}", encoding="utf-8")
    return path


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the command's output


if __name__ == "__main__":
    sys.exit(main())
