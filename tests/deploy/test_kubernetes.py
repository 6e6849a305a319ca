"""deploy/kubernetes: every manifest is what Kubernetes takes, and keeps the rules of a hardened floorcast."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from api.settings import Settings as ApiSettings
from bench.sizing import needs, read
from deploy.settings import Settings as UpSettings
from processor.settings import Settings as WorkerSettings
from schemas.kafka_rights import RIGHTS

Json = dict[str, Any]

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
KUBERNETES = "1.34"
FILES = sorted(path for path in FOLDER.rglob("*.yaml") if path.name != "kustomization.yaml")
KUSTOMIZATIONS = sorted(FOLDER.rglob("kustomization.yaml"))
OTHERS = ("kafka.strimzi.io/", "monitoring.coreos.com/", "keda.sh/")
"""What belongs to operators; their definitions are not at hand."""


def documents(path: Path) -> list[Json]:
    return [found for found in yaml.safe_load_all(path.read_text(encoding="utf-8")) if found]


ALL = [(path, found) for path in FILES for found in documents(path)]
WORKLOADS = [found for _, found in ALL if found["kind"] in {"Deployment", "StatefulSet"}]
PODS = {found["metadata"]["name"]: found["spec"]["template"] for found in WORKLOADS}


def name(value: Any) -> str:
    return str(value["metadata"]["name"]) if isinstance(value, dict) else str(value)


def containers(pod: Json) -> Iterator[Json]:
    yield from pod["spec"].get("initContainers", [])
    yield from pod["spec"]["containers"]


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector means whoever has these labels."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for rule in selector.get("matchExpressions", []):
        assert rule["operator"] == "In"
        if labels.get(rule["key"]) not in rule["values"]:
            return False
    return True


def of_kind(kind: str) -> list[Json]:
    return [found for _, found in ALL if found["kind"] == kind]


def environment(container: Json) -> dict[str, Any]:
    return {entry["name"]: entry.get("value") for entry in container.get("env", [])}


@pytest.mark.parametrize(("path", "found"), ALL, ids=lambda value: name(value) if isinstance(value, dict) else "")
def test_every_manifest_is_one_that_kubernetes_takes(path: Path, found: Json) -> None:
    if not found["apiVersion"].startswith(OTHERS):
        kubernetes_validate.validate(found, KUBERNETES, strict=True)


def test_there_are_the_parts_that_are_promised() -> None:
    assert {
        "floorcast-ingest", "floorcast-read", "floorcast-worker", "floorcast-verifier", "floorcast-lookups",
        "floorcast-stream",
    } <= PODS.keys()  # fmt: skip
    assert {path.parent.name for path in KUSTOMIZATIONS} >= {"base", "single-node", "strimzi", "external-kafka"}


@pytest.mark.parametrize("workload", PODS, ids=str)
def test_no_pod_may_more_than_it_needs(workload: str) -> None:
    spec = PODS[workload]["spec"]
    assert spec["automountServiceAccountToken"] is False
    security = spec["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers(PODS[workload]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip


@pytest.mark.parametrize("workload", PODS, ids=str)
def test_every_container_asks_for_what_it_needs_and_names_its_image(workload: str) -> None:
    for container in containers(PODS[workload]):
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        assert "memory" in container["resources"]["limits"]
        assert re.search(r":\d|@sha256:", container["image"]), container["image"]
        assert ":latest" not in container["image"]


@pytest.mark.parametrize("workload", PODS, ids=str)
def test_every_lasting_container_has_both_probes(workload: str) -> None:
    for container in PODS[workload]["spec"]["containers"]:
        assert {"livenessProbe", "readinessProbe"} <= container.keys()
        if container["name"] in {"api", "worker"}:
            assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
            assert container["readinessProbe"]["httpGet"]["path"].startswith("/readyz")
        elif container["image"].startswith("floorcast:"):
            probes = [container[probe]["exec"]["command"] for probe in ("livenessProbe", "readinessProbe")]
            assert probes == [["python", "-m", "deploy.pulse"]] * 2
            data = Path(environment(container)["FLOORCAST_DATA"])
            assert {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")} & {
                str(folder) for folder in (data, *data.parents)
            }


@pytest.mark.parametrize("workload", PODS, ids=str)
def test_a_budget_lets_one_pod_go_and_no_more(workload: str) -> None:
    labels = PODS[workload]["metadata"]["labels"]
    (budget,) = [one for one in of_kind("PodDisruptionBudget") if selects(one["spec"]["selector"], labels)]
    assert budget["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize("workload", sorted(PODS.keys() - {"floorcast-kafka"}))
def test_while_kafka_is_away_nodes_can_be_drained(workload: str) -> None:
    """Nobody is ready then: a budget that wanted them to be first would keep the node that has to go."""
    labels = PODS[workload]["metadata"]["labels"]
    (budget,) = [one for one in of_kind("PodDisruptionBudget") if selects(one["spec"]["selector"], labels)]
    assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@pytest.mark.parametrize("workload", PODS, ids=str)
def test_what_comes_in_and_goes_out_is_named(workload: str) -> None:
    labels = PODS[workload]["metadata"]["labels"]
    found = [policy["spec"] for policy in of_kind("NetworkPolicy") if selects(policy["spec"]["podSelector"], labels)]
    assert found
    assert all(set(policy["policyTypes"]) == {"Ingress", "Egress"} for policy in found)
    named = {port.get("name") for container in containers(PODS[workload]) for port in container.get("ports", [])}
    for policy in found:
        assert {rule["port"] for part in policy.get("ingress", []) for rule in part["ports"]} <= named


@pytest.mark.parametrize("workload", sorted(PODS.keys() - {"floorcast-kafka"}))
def test_who_speaks_to_kafka_reaches_it_and_who_names_it_and_whoever_gives_out_its_tokens(workload: str) -> None:
    labels = PODS[workload]["metadata"]["labels"]
    found = [policy["spec"] for policy in of_kind("NetworkPolicy") if selects(policy["spec"]["podSelector"], labels)]
    to_anybody = [part for policy in found for part in policy.get("egress", []) if "to" not in part]
    reached = {
        port
        for rule in (rule for part in to_anybody for rule in part["ports"])
        for port in range(rule["port"], rule.get("endPort", rule["port"]) + 1)
    }
    assert {443, 4318, *range(9092, 9099)} <= reached
    assert any("to" in part and {53} == {rule["port"] for rule in part["ports"]} for part in found[0]["egress"])


@pytest.mark.parametrize("kind", ["Service", "PodDisruptionBudget"])
def test_every_selector_means_exactly_one_workload(kind: str) -> None:
    for found in of_kind(kind):
        selector = found["spec"]["selector"]
        wanted = selector if kind == "PodDisruptionBudget" else {"matchLabels": selector}
        assert [workload for workload, pod in PODS.items() if selects(wanted, pod["metadata"]["labels"])] == [
            name(found)
        ]


def test_the_api_has_left_before_kubernetes_ends_it() -> None:
    for workload in ("floorcast-ingest", "floorcast-read"):
        spec = PODS[workload]["spec"]
        (container,) = spec["containers"]
        drain = float(environment(container)["FLOORCAST_DRAIN_SECONDS"])
        assert 0 < drain < spec["terminationGracePeriodSeconds"]
        probe = container["readinessProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] < drain
        role = workload.removeprefix("floorcast-")
        assert environment(container)["FLOORCAST_ROLE"] == role
        assert probe["httpGet"]["path"] == f"/readyz?role={role}"


def volumes_at(workload: str, place: str) -> list[Json]:
    spec = PODS[workload]["spec"]
    names = [each["name"] for each in spec["containers"][0]["volumeMounts"] if each["mountPath"] == place]
    return [volume for volume in spec["volumes"] if volume["name"] in names]


@pytest.mark.parametrize(("workload", "setting"), [("floorcast-read", "DATA"), ("floorcast-worker", "STATE")])
def test_what_is_started_again_finds_what_it_held(workload: str, setting: str) -> None:
    (container,) = PODS[workload]["spec"]["containers"]
    (mount,) = [each for each in container["volumeMounts"] if each["mountPath"] == "/var/lib/floorcast"]
    assert environment(container).get(f"FLOORCAST_{setting}", "/var/lib/floorcast") == mount["mountPath"]
    (volume,) = volumes_at(workload, mount["mountPath"])
    assert not mount.get("readOnly")
    assert "emptyDir" in volume


@pytest.mark.parametrize(
    ("workload", "volume"),
    [
        ("floorcast-worker", "state"),
        ("floorcast-read", "data"),
        ("floorcast-lookups", "known"),
        ("floorcast-verifier", "log"),
    ],
)
def test_what_grows_with_the_floor_evicts_nobody_and_has_a_node_with_room(workload: str, volume: str) -> None:
    """Whoever was evicted would begin with an empty volume, read all of Kafka, and grow beyond the limit again."""
    (found,) = [each for each in PODS[workload]["spec"]["volumes"] if each["name"] == volume]
    assert found["emptyDir"] == {}
    for container in PODS[workload]["spec"]["containers"]:
        assert "ephemeral-storage" in container["resources"]["requests"]
        assert "ephemeral-storage" not in container["resources"]["limits"]


@pytest.mark.parametrize("workload", PODS, ids=str)
def test_keys_lie_in_kafka_and_in_no_file_that_is_shared(workload: str) -> None:
    text = yaml.safe_dump(PODS[workload])
    assert "keys" not in {volume["name"] for volume in PODS[workload]["spec"].get("volumes", [])}
    assert "keys.json" not in text


@pytest.mark.parametrize(
    ("workload", "kind"),
    [("floorcast-ingest", "Deployment"), ("floorcast-read", "Deployment"), ("floorcast-worker", "StatefulSet")],
)
def test_each_part_is_a_workload_of_its_own_that_can_lose_a_pod(workload: str, kind: str) -> None:
    (found,) = [each for each in of_kind(kind) if name(each) == workload]
    assert found["spec"]["replicas"] >= 2


@pytest.mark.parametrize("workload", ["floorcast-ingest", "floorcast-read"])
def test_apis_grow_with_what_is_asked_of_them(workload: str) -> None:
    (scaler,) = [each["spec"] for each in of_kind("HorizontalPodAutoscaler") if name(each) == workload]
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload}
    assert 2 <= scaler["minReplicas"] < scaler["maxReplicas"]


def test_workers_grow_by_lag_up_to_the_partitions_there_are() -> None:
    (scaler,) = [each["spec"] for each in of_kind("ScaledObject")]
    (settings,) = [each["data"] for each in of_kind("ConfigMap") if name(each) == "floorcast-settings"]
    assert scaler["scaleTargetRef"]["name"] == "floorcast-worker"
    assert 2 <= scaler["minReplicaCount"] < scaler["maxReplicaCount"] <= int(settings["FLOORCAST_PARTITIONS"])
    assert "floorcast_consumer_lag_records" in scaler["triggers"][0]["metadata"]["query"]


def test_what_has_metrics_is_scraped() -> None:
    scraped = set()
    for monitor in of_kind("PodMonitor"):
        for workload, pod in PODS.items():
            if selects(monitor["spec"]["selector"], pod["metadata"]["labels"]):
                (container,) = pod["spec"]["containers"]
                ports = {port["name"] for port in container["ports"]}
                assert {each["port"] for each in monitor["spec"]["podMetricsEndpoints"]} <= ports
                scraped.add(workload)
    assert scraped >= {"floorcast-read", "floorcast-worker"}
    assert len(of_kind("PrometheusRule")) == 1


def test_a_floor_of_a_hundred_people_fits_into_what_is_asked_for() -> None:
    need = needs(100, read())
    for workload, memory in (("floorcast-read", need.api_memory), ("floorcast-worker", need.worker_memory)):
        (container,) = PODS[workload]["spec"]["containers"]
        assert memory < quantity(container["resources"]["requests"]["memory"])
        assert quantity(container["resources"]["requests"]["memory"]) < quantity(
            container["resources"]["limits"]["memory"]
        )


def quantity(text: str) -> int:
    """Bytes, of what Kubernetes writes with a binary unit."""
    return int(text[:-2]) << {"Mi": 20, "Gi": 30}[text[-2:]]


def test_a_worker_s_name_is_its_pod_s() -> None:
    (workload,) = [found for found in WORKLOADS if name(found) == "floorcast-worker"]
    assert workload["kind"] == "StatefulSet"
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["worker", "--worker-id", "$(POD_NAME)"]
    (of_pod,) = [entry["valueFrom"] for entry in container["env"] if entry["name"] == "POD_NAME"]
    assert of_pod == {"fieldRef": {"fieldPath": "metadata.name"}}


def test_the_name_of_a_stream_s_connection_is_where_the_component_says() -> None:
    (container,) = PODS["floorcast-stream"]["spec"]["containers"]
    (place,) = re.findall(r"path: /spec/template/spec/containers/0/env/(\d)/value",
                          (FOLDER / "components/stream/kustomization.yaml").read_text())  # fmt: skip
    assert container["args"] == ["stream", "$(CONNECTION)"]
    assert container["env"][int(place)]["name"] == "CONNECTION"


@pytest.mark.parametrize("part", ["lookups", "stream"])
def test_who_asks_a_crm_is_alone_and_reaches_it(part: str) -> None:
    (found,) = [found for found in WORKLOADS if name(found) == f"floorcast-{part}"]
    assert (found["spec"]["replicas"], found["spec"]["strategy"]) == (1, {"type": "Recreate"})
    (policy,) = [each for each in of_kind("NetworkPolicy") if name(each) == f"floorcast-{part}"]
    assert {"protocol": "TCP", "port": 443} in policy["spec"]["egress"][0]["ports"]


def test_every_setting_exists() -> None:
    fields = {*ApiSettings.model_fields, *UpSettings.model_fields, *WorkerSettings.model_fields}
    known = {f"FLOORCAST_{field.upper()}" for field in fields} | {"FLOORCAST_API_KEY"}
    text = "".join(path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.yaml"))
    assert set(re.findall(r"\b(FLOORCAST_[A-Z_]*[A-Z])(?:[:,]|\b(?!_))", text)) <= known


def test_strimzi_gives_the_least_rights() -> None:
    (user,) = of_kind("KafkaUser")
    given = {
        (rule["resource"]["type"].lower(), operation)
        for rule in user["spec"]["authorization"]["acls"]
        for operation in rule["operations"]
    }
    assert given == {(right.resource.lower(), right.operation) for right in RIGHTS}
    names = [rule["resource"] for rule in user["spec"]["authorization"]["acls"]]
    assert all((one["name"], one["patternType"]) == ("floorcast.", "prefix") for one in names)


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=lambda path: path.parent.name)
def test_every_kustomization_names_what_is_there(path: Path) -> None:
    (found,) = documents(path)
    for each in found["resources"]:
        assert (path.parent / each).exists(), each
    beside = {file.name for file in path.parent.glob("*.yaml")} - {"kustomization.yaml"}
    assert beside <= set(found["resources"])


def test_what_the_overlays_change_is_there() -> None:
    """A patch that finds nothing is refused by Kustomize; one that finds another entry would not be."""
    for pod in (PODS["floorcast-ingest"], PODS["floorcast-read"], PODS["floorcast-worker"]):
        assert pod["spec"]["volumes"][2]["name"] == "kafka"
        assert pod["spec"]["containers"][0]["env"]
    (topics,) = PODS["floorcast-worker"]["spec"]["initContainers"]
    assert topics["env"]
