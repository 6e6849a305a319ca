"""The folder of a local Kafka: how it is laid out, whether it can be started on, and what a start writes into it."""

import base64
import fcntl
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from deploy.local.kafka_jvm import TEMPLATES
from deploy.local.ports import UpError
from deploy.local.private import FOLDER, write_private
from schemas.exit_codes import ExitCode
from schemas.kafka import Security

HOST = "127.0.0.1"
_NODE_ID = "1"
_STORAGE_VERSION = "1"
_META = "meta.properties"
_FEATURES = "bootstrap.checkpoint"


@dataclass(frozen=True, slots=True)
class Door:
    """One more listener. Its clients are told to come back at another port: that of a proxy in front of it."""

    port: int
    told: int


def is_held(folder: Path) -> bool:
    """Whether a Kafka runs on its folder, as one does that has outlived whoever started it.

    Kafka looks for itself, but only after it has opened the cluster's own log: the one that runs may end by that.
    """
    try:
        lock = (folder / ".lock").open("rb+")
    except (FileNotFoundError, NotADirectoryError):
        return False
    with lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as Java locks; let go with the file
        except (BlockingIOError, PermissionError):
            return True
    return False


def cluster_id_of(folder: Path) -> str | None:
    """Read the id in Kafka's folder; None if the folder is new. Raises if it is not ours to start on."""
    try:
        if not folder.exists() or not any(folder.iterdir()):
            return None
        text = (folder / _META).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise _unusable(folder, "it holds files but no meta.properties") from None
    except UnicodeDecodeError:
        raise _unusable(folder, "its meta.properties cannot be read") from None
    lines = (line.partition("=") for line in text.splitlines() if not line.startswith("#"))
    meta = {name.strip(): value.strip() for name, _, value in lines}
    cluster_id = meta.get("cluster.id")
    if not cluster_id or "version" not in meta or "node.id" not in meta:
        raise _unusable(folder, "its meta.properties names no version, cluster.id or node.id")
    if meta["version"] != _STORAGE_VERSION:
        raise _unusable(folder, f"its meta.properties has version {meta['version']!r}, not {_STORAGE_VERSION!r}")
    if meta["node.id"] != _NODE_ID:
        raise _unusable(folder, f"it belongs to node {meta['node.id']!r}, not {_NODE_ID!r}")
    return cluster_id


def _unusable(folder: Path, why: str) -> UpError:
    return UpError(
        [f"Kafka cannot start on {folder}: {why}; move the folder away or name another with --data"], ExitCode.WRONG_USE
    )


def folder_in_use(data: Path) -> UpError:
    """Somebody else runs there."""
    return UpError(
        [f"another broker runs on the data folder {data}; stop it or name another with --data"], ExitCode.WRONG_USE
    )


def lay_out(data: Path) -> str:
    """Lay out a new folder. It appears whole or not at all; the new cluster's id."""
    cluster_id = new_id()
    staging = data / "kafka.new"
    rmtree(staging, ignore_errors=True)  # What an interrupted first start left: nobody has written to it.
    fill(staging, cluster_id, _NODE_ID)
    staging.replace(data / "kafka")
    return cluster_id


def fill(folder: Path, cluster_id: str, node_id: str) -> None:
    """Make a node's folder, with what `kafka-storage format` writes into it: that is a Java process, for two files.

    What they hold beside the ids, the features that a cluster of this version begins with, is the same each time.
    """
    folder.mkdir(FOLDER)
    write_private(folder / _FEATURES, (TEMPLATES / _FEATURES).read_bytes())
    meta = {"version": _STORAGE_VERSION, "cluster.id": cluster_id, "directory.id": new_id(), "node.id": node_id}
    write_private(folder / _META, "".join(f"{name}={value}\n" for name, value in meta.items()).encode("ascii"))


def new_id() -> str:
    """An id as Kafka makes them for clusters and folders."""
    # Its tools would take one with a leading dash for an option.
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")


def write_properties(
    path: Path,
    log_folder: str,
    port: int,
    controller_port: int,
    doors: Sequence[Door] = (),
    login: Security | None = None,
) -> None:
    """Write what a start reads: the template, and this start's addresses."""
    # The folder is named as seen from the data folder, where the JVM runs: an absolute path might hold a comma or
    # another character that means something in this file. The controller's address is a fixed voter and so is stored
    # nowhere: each start may choose another port for it.
    template = (TEMPLATES / "server.properties").read_text(encoding="utf-8")
    listeners = [f"CLIENT://{HOST}:{port}", f"CONTROLLER://{HOST}:{controller_port}"]
    advertised = [f"CLIENT://{HOST}:{port}"]
    protocol = "PLAINTEXT" if login is None else "SASL_PLAINTEXT"
    names = ["CLIENT", "CONTROLLER", *(f"DOOR{number}" for number in range(len(doors)))]
    for number, door in enumerate(doors):
        listeners.append(f"DOOR{number}://{HOST}:{door.port}")
        advertised.append(f"DOOR{number}://{HOST}:{door.told}")
    write_private(
        path,
        f"{template}\n"
        f"log.dirs={log_folder}\n"
        f"listeners={','.join(listeners)}\n"
        f"advertised.listeners={','.join(advertised)}\n"
        f"listener.security.protocol.map={','.join(f'{name}:{protocol}' for name in names)}\n"
        f"controller.quorum.voters={_NODE_ID}@{HOST}:{controller_port}\n"
        f"{'' if login is None else _login_properties(names, login)}".encode("ascii"),
    )


def _login_properties(listeners: Sequence[str], login: Security) -> str:
    """Every listener asks for it, the controller's too: whoever reaches that one commands the cluster."""
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    shown = f'{module} required username="{login.username}" password="{login.password}"'
    return (
        "sasl.enabled.mechanisms=PLAIN\n"
        "sasl.mechanism.inter.broker.protocol=PLAIN\n"
        "sasl.mechanism.controller.protocol=PLAIN\n"
    ) + "".join(
        f'listener.name.{name.lower()}.plain.sasl.jaas.config={shown} user_{login.username}="{login.password}";\n'
        for name in listeners
    )
