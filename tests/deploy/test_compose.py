"""The image and the Compose file: valid, hardened, and with commands and settings that the programs know.

Compose itself and hadolint read them; nothing is built or started but the commands written in them.
"""

import fnmatch
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.settings import Settings as ApiSettings
from deploy.settings import Settings as CommandSettings
from processor.settings import Settings as WorkerSettings
from schemas.keys import list_keys

REPOSITORY = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent
DOCKERFILE = REPOSITORY / "deploy" / "Dockerfile"
OURS = ("scrape-token", "api", "worker", "lookups", "stream", "floorcast", "verifier-token", "verifier")
ONE_SHOT = ("scrape-token", "floorcast", "verifier-token")
UNASKED = (*ONE_SHOT, "verifier", "lookups", "stream")
"""Without a healthcheck."""
KAFKAS_OWN = {"KAFKA_HEAP_OPTS"}
"""Read by its scripts; all other variables become a property."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with what Compose reads, and the configuration a user brings."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copy(REPOSITORY / "docker-compose.yml", folder)
    (folder / "floorcast.yaml").write_text("organisation: {}\n")
    return folder


def compose(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLOORCAST_")}
    return subprocess.run(
        [PROGRAMS / "docker-compose", "--profile", "*", *arguments],
        cwd=folder,
        env=environment | {"HOME": str(folder)} | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def services(folder: Path) -> dict[str, dict[str, Any]]:
    """All services as Compose understands them."""
    done = compose(folder, "config")
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, dict[str, Any]] = yaml.safe_load(done.stdout)["services"]
    return found


def test_compose_takes_the_file(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == {*OURS, "kafka", "prometheus", "alertmanager", "grafana"}


def test_compose_refuses_a_file_that_is_wrong(folder: Path) -> None:
    wrong = folder / "wrong.yml"
    wrong.write_text((folder / "docker-compose.yml").read_text().replace("service_healthy", "service_wealthy"))

    done = compose(folder, "--file", str(wrong), "config", "--quiet")

    assert done.returncode == 1


def test_numbers_of_workers_and_addresses_are_settings(folder: Path) -> None:
    done = compose(folder, "config", FLOORCAST_WORKERS="4", FLOORCAST_LISTEN="10.0.0.5:80")

    found = yaml.safe_load(done.stdout)["services"]
    assert found["worker"]["deploy"]["replicas"] == 4
    assert (found["api"]["ports"][0]["host_ip"], found["api"]["ports"][0]["published"]) == ("10.0.0.5", "80")


def test_every_container_is_hardened(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        user = service["user"].partition(":")[0]
        limits = service["deploy"]["resources"]["limits"]

        assert user.isdigit(), name
        assert int(user) > 0, name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert "privileged" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert {"cpus", "memory", "pids"} <= set(limits), name
        assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped"), name
        assert ("healthcheck" in service) is (name not in UNASKED), name


def test_ports_are_open_to_this_machine_only(services: dict[str, dict[str, Any]]) -> None:
    published = {name: port["host_ip"] for name, service in services.items() for port in service.get("ports", [])}

    assert set(published.values()) == {"127.0.0.1"}
    assert "kafka" not in published
    assert "worker" not in published


def test_images_have_exact_versions(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        assert re.search(r":v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?$", service["image"]), service["image"]


def test_what_is_mounted_from_the_checkout_is_in_it_and_read_only(services: dict[str, dict[str, Any]]) -> None:
    mounted = [volume for service in services.values() for volume in service["volumes"] if volume["type"] == "bind"]

    assert all(volume["read_only"] for volume in mounted)
    written = (REPOSITORY / "docker-compose.yml").read_text()
    for source in set(re.findall(r"source: \./([\w./-]+)", written)):
        assert (REPOSITORY / source).exists(), source


@pytest.mark.parametrize("name", OURS)
def test_settings_are_those_that_the_programs_know(services: dict[str, dict[str, Any]], name: str) -> None:
    known = {
        f"FLOORCAST_{field.upper()}"
        for settings in (ApiSettings, WorkerSettings, CommandSettings)
        for field in settings.model_fields
    }
    in_image = set(re.findall(r"\b(FLOORCAST_\w+)=", DOCKERFILE.read_text()))

    assert set(services[name].get("environment", {})) | in_image <= known


def test_what_kafka_is_told_is_what_the_local_kafka_is_told(services: dict[str, dict[str, Any]]) -> None:
    told = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for name, value in services["kafka"]["environment"].items()
        if name.startswith("KAFKA_") and name not in KAFKAS_OWN
    }
    local = dict(
        line.split("=", 1)
        for line in (REPOSITORY / "deploy/kafka/server.properties").read_text().splitlines()
        if "=" in line and not line.startswith("#")
    )
    # Sizes and pace of a broker of one machine, and listeners' names.
    own = {"listener.security.protocol.map", "log.cleaner.dedupe.buffer.size"}

    same = told.keys() & local.keys() - own
    assert {name: told[name] for name in same} == {name: local[name] for name in same}
    assert {"auto.create.topics.enable", "message.max.bytes", "offsets.topic.replication.factor"} <= same


def test_no_two_workers_have_the_same_name_and_each_keeps_its_own(
    services: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    program(tmp_path / "floorcast", 'echo "$@"')
    shell, *rest = as_written(services["worker"]["entrypoint"])

    def started(host: str) -> str:
        program(tmp_path / "hostname", f"echo {host}")
        path = f"{tmp_path}:{os.environ['PATH']}"
        return subprocess.run([shell, *rest], env={"PATH": path}, capture_output=True, text=True, check=True).stdout

    names = [started(host) for host in ("3f2a91c0de11", "77aa01b2c3d4", "3f2a91c0de11")]
    assert names == [f"worker --worker-id {host}\n" for host in ("3f2a91c0de11", "77aa01b2c3d4", "3f2a91c0de11")]


@pytest.mark.parametrize(
    ("name", "place", "scope"),
    [
        ("scrape-token", "/run/floorcast/prometheus", "board"),
        ("verifier-token", "/run/floorcast/verifier", "read"),
    ],
)
def test_a_token_is_made_once_and_is_a_key_of_the_api(
    services: dict[str, dict[str, Any]], tmp_path: Path, name: str, place: str, scope: str
) -> None:
    service = services[name]
    token = tmp_path / "token"
    script = as_written(service["command"])[0].replace(place, str(tmp_path))
    environment = {
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "FLOORCAST_DATA": str(tmp_path / "keys"),
    }

    def once() -> str:
        subprocess.run(
            [*as_written(service["entrypoint"]), script], env=environment, cwd=tmp_path, check=True, capture_output=True
        )
        return token.read_text().strip()

    first, second = once(), once()

    (key,) = list_keys(tmp_path / "keys" / "keys.json")
    assert first == second
    assert first.startswith(f"fc_{key.id}.")
    assert key.scope == scope
    assert token.stat().st_mode & 0o777 == 0o640


def test_the_recount_is_optional_and_has_a_key_of_its_own(services: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    service = services["verifier"]
    (tmp_path / "token").write_text("fc_1.secret\n")
    program(tmp_path / "floorcast", 'echo "$FLOORCAST_API_KEY" "$@"')
    script = as_written(service["command"])[0].replace("/run/floorcast/verifier", str(tmp_path))
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **service["environment"]}

    done = subprocess.run(
        [*as_written(service["entrypoint"]), script], env=environment, capture_output=True, text=True, check=True
    )

    url = f"http://api:{services['api']['environment']['FLOORCAST_PORT']}"
    assert done.stdout == f"fc_1.secret verify --url {url} --every 5m\n"
    assert {name for name, found in services.items() if found.get("profiles") == ["verify"]} == {
        "verifier", "verifier-token",
    }  # fmt: skip
    mounts = {
        name: {volume["target"]: volume["source"] for volume in services[name]["volumes"]}
        for name in ("verifier", "verifier-token")
    }
    assert mounts["verifier"]["/run/floorcast/verifier"] == mounts["verifier-token"]["/run/floorcast/verifier"]
    # What it keeps of the log is no tmpfs's: that would be memory.
    assert mounts["verifier"][service["environment"]["FLOORCAST_DATA"]] == "verifier"
    written = DOCKERFILE.read_text().replace("\\\n", " ")
    made = " ".join(re.findall(r"install -d (.+)", written)).split()
    assert {service["environment"]["FLOORCAST_DATA"], "/run/floorcast/verifier"} <= set(made)


def test_back_fills_share_the_limits_with_the_look_ups(services: dict[str, dict[str, Any]]) -> None:
    """Both keep what they may ask of a CRM in one folder, which belongs to the user of the image."""
    folders = {
        Path(services[name]["environment"].get("FLOORCAST_DATA", "/var/lib/floorcast")) / "lookups": mounts
        for name in ("lookups", "floorcast")
        for mounts in [{volume["target"]: volume["source"] for volume in services[name]["volumes"]}]
    }

    ((folder, mounts),) = folders.items()
    assert mounts[str(folder)] == "lookups"
    assert f" {folder} " in DOCKERFILE.read_text()


def test_a_stream_names_its_connection_and_runs_where_it_is_asked_for(folder: Path) -> None:
    done = compose(folder, "config", FLOORCAST_STREAM="sf")

    found = yaml.safe_load(done.stdout)["services"]["stream"]
    assert (found["command"], found["profiles"]) == (["stream", "sf"], ["stream"])


def test_prometheus_finds_the_token_where_it_is_made(services: dict[str, dict[str, Any]]) -> None:
    config = yaml.safe_load((REPOSITORY / "deploy/prometheus/prometheus.yml").read_text())
    (job,) = [job for job in config["scrape_configs"] if job["job_name"] == "floorcast"]
    file = Path(job["authorization"]["credentials_file"])
    mounts = {
        name: {volume["target"]: volume["source"] for volume in services[name]["volumes"]}
        for name in ("scrape-token", "prometheus", "api")
    }

    assert f"{file}.new" in services["scrape-token"]["command"][0]
    assert mounts["scrape-token"][str(file.parent)] == mounts["prometheus"][str(file.parent)] == "scrape-token"
    # It is its group's to read: that of the one who wrote it.
    assert services["prometheus"]["group_add"] == [services["scrape-token"]["user"].partition(":")[2]]
    assert mounts["api"]["/var/lib/floorcast"] == mounts["scrape-token"]["/var/lib/floorcast"] == "keys"


def test_prometheus_asks_at_the_ports_that_are_listened_on(services: dict[str, dict[str, Any]]) -> None:
    config = yaml.safe_load((REPOSITORY / "deploy/prometheus/prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    (found,) = jobs["floorcast-worker"]["dns_sd_configs"]

    assert jobs["floorcast"]["static_configs"] == [
        {"targets": [f"api:{services['api']['environment']['FLOORCAST_PORT']}"]}
    ]
    assert found["names"] == ["worker"]
    assert found["port"] == int(services["worker"]["environment"]["FLOORCAST_WORKER_PORT"])


@pytest.mark.parametrize(("name", "path"), [("api", "/readyz"), ("worker", "/livez")])
@pytest.mark.parametrize(("status", "ends_with"), [(200, 0), (503, 1)], ids=["well", "unwell"])
def test_a_healthcheck_tells_well_from_unwell(
    services: dict[str, dict[str, Any]], name: str, path: str, status: int, ends_with: int
) -> None:
    kind, _, option, source = as_written(services[name]["healthcheck"]["test"])
    port = services[name]["environment"]["FLOORCAST_PORT" if name == "api" else "FLOORCAST_WORKER_PORT"]

    with answering(path, status) as free:
        here = source.replace(f"127.0.0.1:{port}/", f"127.0.0.1:{free}/")
        done = subprocess.run([sys.executable, option, here], capture_output=True, timeout=20, check=False)

    assert (kind, here != source, done.returncode) == ("CMD", True, ends_with)


def test_hadolint_has_nothing_to_say() -> None:
    done = subprocess.run([PROGRAMS / "hadolint", DOCKERFILE], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_is_not_asleep(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN apt-get install curl\n")

    done = subprocess.run([PROGRAMS / "hadolint", bad], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert "DL3006" in done.stdout


def test_the_image_gets_what_it_copies_and_nothing_else() -> None:
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE.read_text(), re.MULTILINE)
        for source in line.split()[:-1]
    }
    patterns = [line for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    let_in = {line[1:] for line in patterns if line.startswith("!")}

    assert patterns[0] == "*"
    assert let_in == copied
    assert {name for name in copied if not (REPOSITORY / name).exists()} == set()
    assert not any(fnmatch.fnmatch(name, kept) for name in ("secrets", ".env", ".git", ".venv") for kept in let_in)


def test_the_image_runs_as_the_user_that_compose_names(services: dict[str, dict[str, Any]]) -> None:
    (user,) = re.findall(r"^USER (.+)$", DOCKERFILE.read_text(), re.MULTILINE)

    assert {services[name]["user"] for name in OURS} == {user}


def as_written(words: list[str]) -> list[str]:
    """What the container gets: Compose shows a dollar that is meant for the shell twice."""
    return [word.replace("$$", "$") for word in words]


def program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


@contextmanager
def answering(path: str, status: int) -> Iterator[int]:
    """A server that answers `path` with `status`, and all else with 404; gives its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == path else 404)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
