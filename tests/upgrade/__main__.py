"""Two workers and two apis of another version are replaced by this one, one after the other, and one of them back.

As docs/runbooks/upgrade.md says, while deliveries come in. After every step each api is compared with a recount of the
log, by the `floorcast verify` of its own version. The other version is a commit of this repository: its sources run
with the libraries of this environment, uncompiled.
"""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import yaml

from deploy.local.broker import LocalBroker
from tests.faults.stack import CONFIGURATION, CONNECTION
from tests.integration.posted import Posted, clock, hostile_deliveries
from tests.ports import held_port

REPOSITORY = Path(__file__).parents[2]
READY_SECONDS = 180.0
END_SECONDS = 20.0
STILL_SECONDS = 120.0
_RUN = "import sys; from deploy.cli import main; sys.exit(main())"


class UpgradeError(Exception):
    """A step did not come out as the runbook says."""


class Side:
    """One version, and its commands."""

    def __init__(self, name: str, sources: Path, environment: dict[str, str]) -> None:
        self.name = name
        self._environment = {**environment, "PYTHONPATH": str(sources)}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-c", _RUN, *words]

    def run(self, *words: str) -> str:
        """A command until it ends; what it said. Raises UpgradeError."""
        done = subprocess.run(
            self.command(*words), check=False, capture_output=True, text=True, env=self._environment,
            cwd=self._environment["HOME"],
        )  # fmt: skip
        if done.returncode:
            msg = f"{self.name}: floorcast {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
            raise UpgradeError(msg)
        return done.stdout

    def start(self, log: Path, *words: str) -> subprocess.Popen[bytes]:
        with log.open("ab") as out:
            return subprocess.Popen(
                self.command(*words), stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self._environment,
                cwd=self._environment["HOME"], start_new_session=True,
            )  # fmt: skip


class Member:
    """One worker or api, of whichever version."""

    def __init__(self, name: str, folder: Path, words: list[str], port: int) -> None:
        self.name = name
        self.port = port
        self.side: Side | None = None
        self._words = words
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def become(self, side: Side) -> None:
        """End it, start it by this version, and wait until it is ready. Raises UpgradeError."""
        self.end()
        self.side = side
        self._process = side.start(self._log, *self._words)
        ends = time.monotonic() + READY_SECONDS
        while (said := self._readiness()) != 200:
            if self._process.poll() is not None or time.monotonic() > ends:
                raise UpgradeError(f"{self.name} by {side.name} is not ready ({said}):\n{self.words()}")
            time.sleep(0.2)

    def end(self) -> None:
        """As a supervisor does it."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is not None:
            raise UpgradeError(f"{self.name} has ended by itself with {process.returncode}:\n{self.words()}")
        process.send_signal(signal.SIGTERM)
        if (code := process.wait(END_SECONDS)) != 0:
            raise UpgradeError(f"{self.name} ended with {code}:\n{self.words()}")

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    @property
    def stands_still(self) -> bool:
        """Whether an api says that workers derive by other definitions than those of what it serves."""
        said = httpx.get(f"{self.url}/metrics", trust_env=False, timeout=30).text
        return "\nfloorcast_definitions_differ 1\n" in said

    def words(self) -> str:
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])

    def _readiness(self) -> int:
        try:
            return httpx.get(f"{self.url}/readyz", trust_env=False, timeout=5).status_code
        except httpx.TransportError:
            return 0


def main() -> int:
    """0: no step has shown a difference; 1: one has; 2: there is no such version."""
    parser = argparse.ArgumentParser(prog="make upgrade", description=__doc__)
    parser.add_argument("--from", dest="other", required=True, help="a commit or tag: the version before")
    parser.add_argument("--events", type=int, default=300, help="of each step")
    given = parser.parse_args()
    # Whoever ends this ends all that it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with TemporaryDirectory(prefix="floorcast-upgrade-") as folder:
        try:
            sources = _sources_of(given.other, Path(folder) / "other")
        except subprocess.CalledProcessError as error:
            _say(error.stderr.decode().strip())
            return 2
        try:
            with _running(Path(folder), sources) as (old, new, members, posted):
                asyncio.run(_upgrade(old, new, members, posted, given.events))
        except UpgradeError as error:
            _say(str(error))
            return 1
    return 0


@contextmanager
def _running(folder: Path, sources: Path) -> Iterator[tuple[Side, Side, list[Member], Posted]]:
    """Kafka, both versions, and four members that are not started yet."""
    config = folder / "floorcast.yaml"
    config.write_text(yaml.safe_dump(CONFIGURATION), encoding="utf-8")
    with ExitStack() as stack:
        kafka = stack.enter_context(LocalBroker(folder / "kafka", die_with_parent=True, short_lived=True))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FLOORCAST_")} | {
            "HOME": str(folder), "FLOORCAST_BROKER": kafka.bootstrap, "FLOORCAST_CONFIG": str(config),
        }  # fmt: skip
        old, new = Side("the other version", sources, environment), Side("this version", REPOSITORY, environment)
        members = []
        for number in (1, 2):
            port = held_port()
            words = ["worker", "--worker-id", f"worker-{number}", "--data", str(folder / f"worker-{number}"),
                     "--port", str(port)]  # fmt: skip
            members.append(Member(f"worker-{number}", folder, words, port))
        for number in (1, 2):
            port = held_port()
            words = ["api", "--data", str(folder / f"api-{number}"), "--port", str(port)]
            members.append(Member(f"api-{number}", folder, words, port))
        for member in members:
            stack.callback(member.kill)
        yield old, new, members, Posted(members[-1].url, config)


async def _upgrade(old: Side, new: Side, members: list[Member], posted: Posted, events: int) -> None:
    _say(f"topics by {old.name}: {old.run('topics').strip().splitlines()[-1]}")
    for member in members:
        await asyncio.to_thread(member.become, old)
    await _step("all of the other version", members, posted, events, seed=0)
    _say(new.run("topics", "--alter").strip())
    for number, member in enumerate(members, 1):
        under_way = asyncio.create_task(_post(posted, events, seed=number)) if member is not members[-1] else None
        await asyncio.to_thread(member.become, new)
        if under_way is not None:
            await under_way
        await _step(f"{member.name} by this version", members, posted, events, seed=10 + number)
    await asyncio.to_thread(members[0].become, old)
    await _step(f"{members[0].name} back by the other version", members, posted, events, seed=20)
    await asyncio.to_thread(members[0].become, new)
    await _step("all of this version", members, posted, events, seed=21)
    for member in members:
        await asyncio.to_thread(member.end)


async def _step(what: str, members: list[Member], posted: Posted, events: int, seed: int) -> None:
    """Post, and compare what each api serves with a recount of the log.

    While versions that count something otherwise run side by side an api may keep what it has, if it says so.
    """
    await _post(posted, events, seed)
    asked = [(member, member.side) for member in members if member.name.startswith("api") and member.side]
    if len({member.side for member in members}) > 1:
        still = [(member, side) for member, side in asked if member.stands_still]
        for member, side in still:
            asked.remove((member, side))
            _say(f"{what}: {member.name} by {side.name} keeps what it has, and says so: definitions differ")
    try:
        runs = (asyncio.to_thread(side.run, "verify", "--url", member.url) for member, side in asked)
        said = await asyncio.gather(*runs)
    except UpgradeError as error:
        raise UpgradeError(
            "\n".join([f"{what}: {error}", *(f"{each.name}: {each.words()}" for each in members)])
        ) from None
    for (member, side), words in zip(asked, said, strict=True):
        _say(f"{what}: {member.name} by {side.name}: {words.strip().splitlines()[-1]}")


async def _post(posted: Posted, events: int, seed: int) -> None:
    await posted.post(hostile_deliveries(seed=seed, events=events, now=clock(), connections=[CONNECTION]))


def _sources_of(commit: str, folder: Path) -> Path:
    """All files of a commit. Raises CalledProcessError."""
    packed = subprocess.run(
        ["git", "-C", str(REPOSITORY), "archive", commit, "api", "deploy", "processor", "schemas"],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the command's output


if __name__ == "__main__":
    sys.exit(main())
