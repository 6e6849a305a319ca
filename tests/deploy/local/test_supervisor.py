"""Keeping children: back-off, starting again, order of ending, and that none outlives us."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from api.read import read_side
from api.settings import Settings as ApiSettings
from deploy.local import target, up
from deploy.local.ports import UpError
from deploy.local.supervisor import Backoff, Child, ChildProgram, Supervisor, describe_end
from deploy.settings import Settings as CommandSettings
from processor.settings import Settings as WorkerSettings
from processor.transport.shards import LAST_SECONDS
from schemas.kafka import PLAIN, Address, Kafka, Security
from schemas.keys import KeyStore

# Ends at SIGTERM as it is told to, and notes what happened to it.
OBEDIENT = """\
import signal, sys, time
name, notes = sys.argv[1:3]
def note(word):
    with open(notes, "a") as file:
        file.write(f"{name} {word}\\n")
def end(*_):
    note("ends")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
note("runs")
time.sleep(600)
"""
STUBBORN = """\
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("runs", flush=True)
time.sleep(600)
"""


def program(tmp_path: Path, name: str, code: str, *arguments: str, stop_seconds: float = 5.0) -> ChildProgram:
    return ChildProgram(
        name, [sys.executable, "-c", code, *arguments], tmp_path / f"{name}.log", stop_seconds=stop_seconds
    )


def obedient(tmp_path: Path, name: str) -> ChildProgram:
    return program(tmp_path, name, OBEDIENT, name, str(tmp_path / "notes"))


def notes(tmp_path: Path) -> list[str]:
    path = tmp_path / "notes"
    return path.read_text().splitlines() if path.exists() else []


async def until(is_so: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():
            await asyncio.sleep(0.02)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class FakeChild:
    """Lives as long as it is told, by a clock that only it moves."""

    stop_seconds = 1.0

    def __init__(self, name: str, lives: list[tuple[float, int]]) -> None:
        self.name = name
        self.now = 0.0
        self.starts = 0
        self.refusals: list[UpError] = []
        self._lives = lives
        self.stopped_within: float | None = None

    async def start(self) -> None:
        if self.starts and self.refusals:
            raise self.refusals.pop(0)
        self.starts += 1

    async def wait(self) -> int:
        if not self._lives:
            await asyncio.Event().wait()
        seconds, code = self._lives.pop(0)
        self.now += seconds
        return code

    async def stop(self, timeout: float) -> None:
        self.stopped_within = timeout

    def kill(self) -> None:
        self.stopped_within = 0.0

    def last_words(self) -> list[str]:
        return ["what went wrong"]


async def keep(child: FakeChild, said: list[str], *, settled: bool = True) -> tuple[Supervisor, list[float]]:
    delays: list[float] = []

    def sleep(seconds: float) -> "asyncio.Future[None]":
        delays.append(seconds)
        return asyncio.ensure_future(asyncio.sleep(0))

    supervisor = Supervisor(said.append, clock=lambda: child.now, sleep=sleep)
    supervisor.settled = settled
    await supervisor.launch(child)
    await until(lambda: not child._lives)
    for _ in range(20):
        await asyncio.sleep(0)
    return supervisor, delays


def test_the_wait_doubles_up_to_ten_seconds() -> None:
    backoff = Backoff()

    assert [backoff.delay(1) for _ in range(8)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10]


def test_a_child_that_lived_long_enough_is_started_at_once_again() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.delay(1)

    assert backoff.delay(30) == 0.2


@pytest.mark.parametrize(("code", "words"), [(-9, "killed by signal 9"), (70, "exit code 70")])
def test_an_end_is_told_in_words(code: int, words: str) -> None:
    assert describe_end(code) == words


async def test_a_child_that_dies_is_started_again_with_one_line_each_time() -> None:
    said: list[str] = []
    child = FakeChild("worker", [(100, -9), (1, -9), (60, -11)])

    supervisor, delays = await keep(child, said)
    await supervisor.stop()

    assert (child.starts, delays) == (4, [0.2, 0.4, 0.2])
    assert said[0] == "worker died (killed by signal 9), starting again in 0.2 s"


async def test_the_last_words_of_a_child_that_failed_soon_are_shown() -> None:
    said: list[str] = []

    supervisor, _ = await keep(FakeChild("api", [(1, 70), (60, 70)]), said)
    await supervisor.stop()

    assert said[:2] == ["  api: what went wrong", "api died (exit code 70), starting again in 0.2 s"]
    assert len(said) == 3


@pytest.mark.parametrize("code", [2, 3])
async def test_a_child_that_refuses_at_the_start_is_not_tried_again(code: int) -> None:
    said: list[str] = []
    child = FakeChild("worker", [(1, code)])

    supervisor, delays = await keep(child, said, settled=False)
    await supervisor.stop()

    assert (supervisor.refused.result(), child.starts, delays) == (code, 1, [])
    assert "  worker: what went wrong" in said


async def test_a_refusal_later_on_is_tried_again() -> None:
    child = FakeChild("worker", [(100, 3)])

    supervisor, _ = await keep(child, [])
    await supervisor.stop()

    assert child.starts == 2
    assert not supervisor.refused.done()


async def test_a_child_that_cannot_be_started_again_is_tried_until_it_can() -> None:
    said: list[str] = []
    child = FakeChild("kafka", [(100, -9)])
    child.refusals = [UpError(["port 9092 is in use"], 2), UpError(["port 9092 is in use"], 2)]

    supervisor, delays = await keep(child, said)
    await supervisor.stop()

    assert (child.starts, delays) == (2, [0.2, 0.4, 0.8])
    assert said[1] == "kafka did not start (port 9092 is in use), trying again in 0.4 s"


async def test_a_child_may_use_the_time_that_the_others_leave() -> None:
    children = [FakeChild(name, []) for name in ("kafka", "worker", "api")]
    supervisor = Supervisor(lambda _line: None, clock=lambda: 0.0)
    for child in children:
        await supervisor.launch(child)

    await supervisor.stop(9.0)

    assert [child.stopped_within for child in children] == [9.0, 8.0, 8.0]


async def test_the_child_that_was_launched_first_ends_last(tmp_path: Path) -> None:
    supervisor = Supervisor(lambda _line: None)
    for name in ("kafka", "worker", "api"):
        await supervisor.launch(obedient(tmp_path, name))
    await until(lambda: len(notes(tmp_path)) == 3)

    await supervisor.stop()

    assert {*notes(tmp_path)[3:5]} == {"api ends", "worker ends"}
    assert notes(tmp_path)[5:] == ["kafka ends"]


async def test_a_killed_process_is_there_again(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor(said.append)
    child = obedient(tmp_path, "worker")
    await supervisor.launch(child)
    await until(lambda: notes(tmp_path) == ["worker runs"])

    first = child.pid
    child.kill()
    await until(lambda: notes(tmp_path) == ["worker runs", "worker runs"])
    await supervisor.stop()

    assert child.pid != first
    assert said == ["worker died (killed by signal 9), starting again in 0.2 s"]


async def test_a_process_that_does_not_end_is_killed(tmp_path: Path) -> None:
    child = program(tmp_path, "api", STUBBORN)
    await child.start()
    await until(lambda: child.last_words() == ["runs"])

    await child.stop(0.1)

    assert await child.wait() == -9


async def test_last_words_are_of_this_life_and_leave_the_routine_out(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text("of an earlier life\n")
    lines = '{"level": "info", "event": "started"}\n{"level": "error", "event": "lost"}\nplain'
    child = program(tmp_path, "worker", f"print({lines!r})")
    await child.start()

    await child.wait()

    assert child.last_words() == ['{"level": "error", "event": "lost"}', "plain"]


async def test_a_log_that_grew_too_large_is_moved_aside_at_the_start(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text("old " * 1000)
    child = ChildProgram("worker", [sys.executable, "-c", "print('new')"], log, max_log_bytes=1000)
    await child.start()
    await child.wait()

    assert (log.read_text(), (tmp_path / "worker.log.1").read_text()) == ("new\n", "old " * 1000)


async def test_a_log_that_grows_too_large_while_its_child_runs_is_cut_and_one_older_is_kept(tmp_path: Path) -> None:
    talkative = "import time\nwhile True:\n    print('word ' * 200, flush=True)\n    time.sleep(0.001)"
    child = ChildProgram(
        "api", [sys.executable, "-c", talkative], tmp_path / "api.log", max_log_bytes=50_000, log_check_seconds=0.02
    )
    older = tmp_path / "api.log.1"
    await child.start()
    waiting = asyncio.create_task(child.wait())
    await until(older.exists)
    first = older.stat().st_mtime_ns
    await until(lambda: older.stat().st_mtime_ns != first)
    child.kill()

    assert await waiting == -9
    assert sorted(path.name for path in tmp_path.iterdir()) == ["api.log", "api.log.1"]
    assert child.last_words()[-1].startswith("word word")


async def test_a_log_that_cannot_be_moved_aside_ends_nothing(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("old " * 1000)
    (tmp_path / "api.log.1").mkdir()
    child = ChildProgram("api", [sys.executable, "-c", "print('new')"], log, max_log_bytes=1000)
    await child.start()

    assert await child.wait() == 0
    assert log.read_text() == "new\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
async def test_no_child_outlives_a_killed_parent(tmp_path: Path) -> None:
    parent = f"""
import asyncio, sys
from pathlib import Path
from deploy.local.supervisor import ChildProgram
async def main():
    child = ChildProgram("c", [sys.executable, "-c", "import time; time.sleep(600)"], Path({str(tmp_path / "c.log")!r}))
    await child.start()
    print(child.pid, flush=True)
    await child.wait()
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert not is_gone(child)

        process.kill()

        await until(lambda: is_gone(child))


# --- `up` as a whole, with small programs in the place of its own ----------------------------------------------------


SECRET = "3f9a" * 16


class FakeKafka:
    """A program in the place of Kafka."""

    kafka = Kafka("127.0.0.1:9092", Security("SASL_PLAINTEXT", "PLAIN", "floorcast", SECRET))

    def __init__(self, child: ChildProgram) -> None:
        self._child = child
        self.name = "kafka"
        self.stop_seconds = 5.0
        self.start, self.wait, self.stop, self.kill, self.last_words = (
            child.start, child.wait, child.stop, child.kill, child.last_words,
        )  # fmt: skip


class FakeSurroundings(up.Surroundings):
    """Small programs; ready as soon as all of them run."""

    def __init__(self, folder: Path, api: str = OBEDIENT) -> None:
        self._folder = folder
        self._api = api
        self.api_stop_seconds = 5.0

    def local_kafka(self, data: Path) -> up.LocalKafka:
        return FakeKafka(obedient(self._folder, "kafka"))  # type: ignore[return-value]

    async def reach(self, broker: Address) -> None:
        return

    async def make_topics(self, broker: Address, plan: up.UpPlan, say: Callable[[str], None]) -> None:
        return

    async def is_ready(self, url: str) -> bool:
        return len(notes(self._folder)) >= 3

    def programs(self, plan: up.UpPlan, broker: Address, worker_id: str) -> list[Child]:
        words = ("api", str(self._folder / "notes"))
        api = program(self._folder, "api", self._api, *words, stop_seconds=self.api_stop_seconds)
        return [obedient(self._folder, "worker"), api]

    undisturbed_seconds = 0.0

    async def hasten_next_start(self, plan: up.UpPlan) -> None:
        return

    def verifier(self, plan: up.UpPlan, broker: Address, url: str, every: int) -> Child:
        assert plan.data.joinpath("announced").exists()
        return obedient(self._folder, "verifier")


def make_plan(data: Path) -> up.UpPlan:
    return up.UpPlan(
        config=data / "floorcast.yaml", data=data, host="127.0.0.1", port=18080, broker=None, prefix="floorcast.",
        partitions=4, open_access=True,
    )  # fmt: skip


async def test_up_says_ready_and_leaves_nothing_behind_after_sigterm(tmp_path: Path) -> None:
    announced: list[str] = []
    running = asyncio.create_task(
        up.run_all(
            make_plan(tmp_path),
            announce=announced.append,
            say=lambda _line: None,
            surroundings=FakeSurroundings(tmp_path),
        )
    )
    await until(lambda: announced == ["ready http://127.0.0.1:18080"])
    found = target.find_running(tmp_path)

    os.kill(os.getpid(), 15)

    assert await running == 0
    assert found is not None
    assert (found.url, found.broker) == ("http://127.0.0.1:18080", "127.0.0.1:9092")
    *others, last = (line.split()[0] for line in notes(tmp_path)[3:])
    assert (sorted(others), last) == (["api", "worker"], "kafka")
    assert target.find_running(tmp_path) is None


async def test_a_hangup_of_the_terminal_ends_nobody(tmp_path: Path) -> None:
    """As `nohup floorcast up &` hears it: once it is ready, and again; no child is in the session of the terminal."""
    announced: list[str] = []
    said: list[str] = []
    others = set(psutil.Process().children())  # of tests before this one
    running = asyncio.create_task(
        up.run_all(
            make_plan(tmp_path), announce=announced.append, say=said.append, surroundings=FakeSurroundings(tmp_path)
        )
    )
    await until(lambda: announced == ["ready http://127.0.0.1:18080"])
    children = set(psutil.Process().children()) - others
    before = len(said)

    for heard in (1, 2):
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda heard=heard: len([line for line in said[before:] if "SIGHUP" in line]) == heard)  # type: ignore[misc]

    assert not running.done()
    assert children <= set(psutil.Process().children())
    assert len(children) >= 3
    assert all(os.getsid(child.pid) == child.pid != os.getsid(0) for child in children)
    assert not [line for line in notes(tmp_path) if line.endswith("ends")]
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running == 0


# As OBEDIENT, but for SIGTERM.
DEAF = OBEDIENT.replace("signal.signal(signal.SIGTERM, end)", "signal.signal(signal.SIGTERM, lambda *_: note('hears'))")


async def test_a_second_ctrl_c_kills_whoever_does_not_end(tmp_path: Path) -> None:
    said: list[str] = []
    announced: list[str] = []
    surroundings = FakeSurroundings(
        tmp_path, DEAF.replace("time.sleep(600)", "[time.sleep(0.01) for _ in range(60000)]")
    )
    surroundings.api_stop_seconds = 600.0
    running = asyncio.create_task(
        up.run_all(make_plan(tmp_path), announce=announced.append, say=said.append, surroundings=surroundings)
    )
    await until(lambda: bool(announced))

    os.kill(os.getpid(), signal.SIGINT)
    await until(lambda: "api hears" in notes(tmp_path))
    assert not running.done()
    os.kill(os.getpid(), signal.SIGINT)

    async with asyncio.timeout(20):
        assert await running == 0
    assert said.count("stopping") == 1
    # All are killed: what the others stand on is not asked any more.
    assert {*notes(tmp_path)[3:]} - {"worker ends"} == {"api hears"}


async def test_a_second_sigterm_does_not_kill(tmp_path: Path) -> None:
    announced: list[str] = []
    running = asyncio.create_task(
        up.run_all(
            make_plan(tmp_path),
            announce=announced.append,
            say=lambda _line: None,
            surroundings=FakeSurroundings(tmp_path),
        )
    )
    await until(lambda: bool(announced))

    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)

    assert await running == 0
    *others, last = (line.split()[0] for line in notes(tmp_path)[3:])
    assert (sorted(others), last) == (["api", "worker"], "kafka")


async def test_the_recount_begins_after_ready_is_started_again_and_ends_first(tmp_path: Path) -> None:
    said: list[str] = []
    plan = replace(make_plan(tmp_path), verify_every=300_000_000)
    running = asyncio.create_task(
        up.run_all(
            plan,
            announce=lambda _line: (tmp_path / "announced").touch(),
            say=said.append,
            surroundings=FakeSurroundings(tmp_path),
        )
    )
    await until(lambda: "verifier runs" in notes(tmp_path))
    for process in psutil.Process().children(recursive=True):
        if "verifier" in process.cmdline():
            process.kill()
    await until(lambda: notes(tmp_path).count("verifier runs") == 2)

    os.kill(os.getpid(), signal.SIGTERM)

    assert await running == 0
    assert "verifier died (killed by signal 9), starting again in 0.2 s" in said
    *others, last = (line for line in notes(tmp_path) if line.endswith("ends"))
    assert (sorted(others), last) == (["api ends", "verifier ends", "worker ends"], "kafka ends")


@pytest.mark.parametrize(
    "error", [TimeoutError(), OSError("no way"), asyncio.CancelledError(), RuntimeError("a fault")]
)
async def test_what_cannot_be_told_of_connections_ends_nothing(error: BaseException, tmp_path: Path) -> None:
    class Untold(FakeSurroundings):
        def lookups(self, plan: up.UpPlan, broker: Address) -> Child:
            return obedient(tmp_path, "lookups")

        async def without_records(self, plan: up.UpPlan, broker: Address) -> list[str]:
            raise error

    said: list[str] = []
    plan = replace(make_plan(tmp_path), asked=["hub"])
    running = asyncio.create_task(
        up.run_all(plan, announce=lambda _line: None, say=said.append, surroundings=Untold(tmp_path))
    )
    await until(lambda: running.done() or any("of hub cannot be told now" in line for line in said))

    assert target.find_running(tmp_path) is not None
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running == 0


def test_the_recount_gets_a_key_that_the_api_knows_and_no_file_has(tmp_path: Path) -> None:
    surroundings = up.Surroundings()
    url = "http://127.0.0.1:8080"

    verifier = surroundings.verifier(make_plan(tmp_path), "127.0.0.1:9092", url, every=300_000_000)
    worker, api = surroundings.programs(make_plan(tmp_path), "127.0.0.1:9092", "w-1")

    assert isinstance(verifier, ChildProgram)
    assert isinstance(worker, ChildProgram)
    assert isinstance(api, ChildProgram)
    sha256 = api.environment["FLOORCAST_VERIFIER_KEY_SHA256"]
    token = verifier.environment["FLOORCAST_API_KEY"]
    store = KeyStore(tmp_path / "keys.json", loopback=False, verifier_sha256=sha256)
    assert store.find(token, 0) is not None
    assert token not in [*verifier.command, *api.environment.values(), *worker.environment.values()]
    assert list(tmp_path.iterdir()) == []
    assert list(verifier.command)[-4:] == ["--url", "http://127.0.0.1:8080", "--every", "300s"]


def test_settings_reach_the_children(tmp_path: Path) -> None:
    plan = replace(make_plan(tmp_path), prefix="acme.", partitions=7, worker_port=9100)

    worker, api = up.Surroundings().programs(plan, "127.0.0.1:9092", "w-1")

    assert isinstance(worker, ChildProgram)
    assert isinstance(api, ChildProgram)
    for child in (worker, api):
        assert child.environment["FLOORCAST_PREFIX"] == "acme."
        assert child.environment["FLOORCAST_PARTITIONS"] == "7"
    said = list(worker.command)
    assert said[said.index("--port") + 1] == "9100"
    assert said[said.index("--state") + 1] == str(tmp_path / "state")
    assert worker.stop_seconds > LAST_SECONDS  # for what it writes down
    assert api.stop_seconds > read_side._LAST_SECONDS


async def test_up_ends_with_the_code_of_a_child_that_refuses(tmp_path: Path) -> None:
    said: list[str] = []
    # Not before Kafka listens to signals: one that is only just born dies without a word.
    refusing = (
        "import pathlib, sys, time\n"
        f"notes = pathlib.Path({str(tmp_path / 'notes')!r})\n"
        "while not (notes.exists() and 'kafka' in notes.read_text()): time.sleep(0.02)\n"
        "print('floorcast.yaml:3: is wrong'); sys.exit(2)"
    )

    code = await up.run_all(
        make_plan(tmp_path),
        announce=lambda _line: None,
        say=said.append,
        surroundings=FakeSurroundings(tmp_path, refusing),
    )

    assert code == 2
    assert "  api: floorcast.yaml:3: is wrong" in said
    assert notes(tmp_path)[-1] == "kafka ends"


@pytest.mark.parametrize("is_local", [True, False])
def test_children_know_the_login_by_their_environment_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_local: bool
) -> None:
    monkeypatch.setenv("FLOORCAST_KAFKA_SASL_MECHANISM", "SCRAM-SHA-512")
    monkeypatch.setenv("FLOORCAST_KAFKA_SASL_PASSWORD", "of another Kafka")
    broker = Kafka("127.0.0.1:9092", Security("SASL_PLAINTEXT", "PLAIN", "floorcast", SECRET) if is_local else PLAIN)
    surroundings = up.Surroundings()
    children = [
        *surroundings.programs(make_plan(tmp_path), broker, "w-1"),
        surroundings.verifier(make_plan(tmp_path), broker, "http://127.0.0.1:8080", every=300_000_000),
    ]
    for child in children:
        assert isinstance(child, ChildProgram)
        assert SECRET not in " ".join(child.command)
        monkeypatch.setattr("os.environ", dict(child.environment))
        for settings in (WorkerSettings(), CommandSettings(), ApiSettings()):
            assert settings.kafka_security == broker.security


def test_up_on_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    lock = up.lock_data(tmp_path)
    try:
        with pytest.raises(UpError, match="another floorcast up") as refused:
            up.lock_data(tmp_path)
    finally:
        lock.release()

    assert refused.value.exit_code == 2


@pytest.mark.kafka
async def test_the_local_kafka_is_a_child_like_any_other(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor(said.append)
    kafka = up.LocalKafka(tmp_path)
    await supervisor.launch(kafka)
    try:
        await target.reach_broker(kafka.kafka)
        with pytest.raises(UpError, match="ends the connection: does it ask for a login"):
            await target.reach_broker(str(kafka.kafka))
        kafka.kill()
        await until(lambda: bool(said))
        began = time.monotonic()
        while time.monotonic() - began < 60:
            try:
                await target.reach_broker(kafka.kafka)
                break
            except UpError:
                await asyncio.sleep(0.1)
        await target.reach_broker(kafka.kafka)
    finally:
        await supervisor.stop()

    assert said == ["kafka died (killed by signal 9), starting again in 0.2 s"]
