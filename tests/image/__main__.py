"""Build the image, run api and worker from it beside a Kafka of this machine, post a webhook, read the number."""

import argparse
import base64
import hashlib
import hmac
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import orjson

from deploy.local.broker import LocalBroker
from schemas.instants import format_instant
from tests.image.building import IMAGE, REPOSITORY, ImageError, Store
from tests.ports import held_port

USER = 10001
_READY_SECONDS = 120.0
_SECRET = base64.b64encode(secrets.token_bytes(24)).decode()


def main() -> int:
    """0: it was built, and counts."""
    parser = argparse.ArgumentParser(prog="make image", description=__doc__)
    parser.add_argument("--store", type=Path, default=REPOSITORY / "build" / "image")
    chosen = parser.parse_args()
    chosen.store.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    store = Store(chosen.store.absolute(), _say)
    try:
        store.build()
        _say(f"built in {time.monotonic() - began:.0f} s")
        _try(store)
    except ImageError as error:
        _say(str(error))
        return 1
    _say(f"built, started and posted to in {time.monotonic() - began:.0f} s")
    return 0


def _try(store: Store) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        config = folder / "floorcast.yaml"
        config.write_text(
            "organisation: {name: Acme, timezone: UTC, currency: EUR}\n"
            f'connections: {{feed: {{kind: generic, secrets: ["whsec_{_SECRET}"]}}}}\n'
            "reps: {r-17: {name: Ana Lim}}\n"
        )
        config.chmod(0o644)
        folder.chmod(0o755)
        kafka = stack.enter_context(LocalBroker(folder / "kafka", die_with_parent=True, short_lived=True)).bootstrap
        inside = _Inside(store, config, kafka)
        who = inside.once("python", "-c", "import os; print(os.getuid(), os.access('/opt/floorcast', os.W_OK))").split()
        if who != [str(USER), "False"]:
            msg = f"runs as {who}: user {USER} was expected, who may not write to the program"
            raise ImageError(msg)
        _say(inside.once("floorcast", "--version").strip())
        inside.once("floorcast", "topics")
        port = held_port()
        stack.enter_context(inside.running("floorcast", "worker"))
        stack.enter_context(inside.running("floorcast", "api", "--host", "127.0.0.1", "--port", str(port)))
        url = f"http://127.0.0.1:{port}"
        _until_counted(url)


def _until_counted(url: str) -> None:
    ends = time.monotonic() + _READY_SECONDS
    with httpx.Client(base_url=url, trust_env=False, timeout=5) as client:
        while not _is_ready(client):
            _not_after(ends, "it is not ready")
            time.sleep(0.2)
        now = time.time_ns() // 1000
        event = {
            "record": "call", "id": "c-1", "changed_at": format_instant(now),
            "fields": {"rep": "r-17", "direction": "outbound", "dialed_at": format_instant(now)},
        }  # fmt: skip
        body, at = orjson.dumps(event), str(now // 1_000_000)
        key = base64.b64decode(_SECRET)
        mac = base64.b64encode(hmac.digest(key, f"m-1.{at}.".encode() + body, hashlib.sha256)).decode()
        headers = {
            "content-type": "application/json", "webhook-id": "m-1", "webhook-timestamp": at,
            "webhook-signature": f"v1,{mac}",
        }  # fmt: skip
        answered = client.post("/webhooks/feed", content=body, headers=headers)
        if answered.status_code != 202:
            msg = f"a webhook was answered with {answered.status_code}: {answered.text}"
            raise ImageError(msg)
        while client.get("/v1/reps/r-17/metrics?metrics=calls_made").json()["metrics"] != {"calls_made": 1}:
            _not_after(ends, "the webhook is not counted")
            time.sleep(0.05)


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _not_after(ends: float, what: str) -> None:
    if time.monotonic() > ends:
        raise ImageError(what)


class _Inside:
    """Commands in containers of the image, on this machine's network."""

    def __init__(self, store: Store, config: Path, kafka: str) -> None:
        self._store = store
        self._mounts = ["--volume", f"{config}:/etc/floorcast/floorcast.yaml:ro"]
        self._settings = {"FLOORCAST_BROKER": kafka, "FLOORCAST_PARTITIONS": "1"}

    def once(self, *words: str) -> str:
        """A command until it ends; what it says. Raises ImageError."""
        with self._container() as container:
            return self._store.buildah(*self._run(container, words))

    @contextmanager
    def running(self, *words: str) -> Iterator[None]:
        """A command as long as it is open."""
        with self._container() as container:
            # A session of its own: the programs within it are ended with it.
            process = subprocess.Popen(self._store.command(*self._run(container, words)), start_new_session=True)
            try:
                yield
                if process.poll() is not None:
                    msg = f"{' '.join(words)} has ended with {process.returncode}"
                    raise ImageError(msg)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()

    @contextmanager
    def _container(self) -> Iterator[str]:
        container = self._store.buildah("from", "--pull-never", IMAGE).strip()
        try:
            for name, value in self._settings.items():
                self._store.buildah("config", "--env", f"{name}={value}", container)
            yield container
        finally:
            self._store.buildah("rm", container)

    def _run(self, container: str, words: tuple[str, ...]) -> list[str]:
        return ["run", "--isolation", "chroot", "--network", "host", *self._mounts, container, "--", *words]


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the command's output


if __name__ == "__main__":
    sys.exit(main())
