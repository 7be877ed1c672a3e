"""deploy/k8s: the manifests are valid, and what they name exists in the product, in the images and in each other."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import kustomize
import pytest
import yaml
from fleet_model import Autoscaler

from ocrsvc.service.middleware import QUIET_ROUTES
from ocrsvc.settings import Settings

ROOT = Path(__file__).parents[1]
MANIFESTS = ROOT / "deploy" / "k8s"
VERSIONS = ("1.30.0", "1.37.0")  # the oldest with preStop.sleep on by default, and the newest that we know
Objects = dict[str, dict[str, Any]]  # by kind

_BEHAVIOUR = {"type": "object", "required": ["scaleUp", "scaleDown"]}
# The documented fields that we use, of kinds that Kubernetes itself does not have.
CUSTOM: dict[str, dict[str, Any]] = {
    "monitoring.coreos.com/v1": {
        "type": "object",
        "required": ["selector", "endpoints"],
        "additionalProperties": False,
        "properties": {
            "selector": {"type": "object", "required": ["matchLabels"]},
            "endpoints": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "port": {"type": "string"},
                        "path": {"type": "string", "pattern": "^/"},
                        "interval": {"type": "string", "pattern": "^[0-9]+s$"},
                        "scrapeTimeout": {"type": "string", "pattern": "^[0-9]+s$"},
                    },
                },
            },
        },
    },
    "keda.sh/v1alpha1": {
        "type": "object",
        "required": ["scaleTargetRef", "triggers"],
        "additionalProperties": False,
        "properties": {
            "scaleTargetRef": {"type": "object", "required": ["name"]},
            "minReplicaCount": {"type": "integer"},
            "maxReplicaCount": {"type": "integer"},
            "pollingInterval": {"type": "integer"},
            "advanced": {
                "type": "object",
                "properties": {
                    "horizontalPodAutoscalerConfig": {
                        "type": "object",
                        "properties": {"behavior": _BEHAVIOUR},
                    }
                },
            },
            "triggers": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["type", "metadata"],
                    "properties": {
                        "type": {"const": "prometheus"},
                        "metadata": {
                            "type": "object",
                            "required": ["serverAddress", "query", "threshold"],
                            "additionalProperties": {"type": "string"},
                        },
                    },
                },
            },
        },
    },
}


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kustomize.found_kubectl(tmp_path_factory.mktemp("kubectl"))


@pytest.fixture(scope="module", params=["x86", "arm64", "keda", "plain"])
def objects(
    request: pytest.FixtureRequest, kubectl: Path, tmp_path_factory: pytest.TempPathFactory
) -> Objects:
    """The objects of an overlay; of one with KEDA instead; and of one without any component."""
    folder = MANIFESTS / "overlays" / request.param
    if not folder.exists():
        folder = shutil.copytree(MANIFESTS, tmp_path_factory.mktemp("k8s") / "k8s") / "overlays" / "x86"
        kustomization = folder / "kustomization.yaml"
        text = kustomization.read_text("utf-8")
        if request.param == "keda":
            kustomization.write_text(text.replace("components/hpa #", "components/keda #"))
        else:
            kustomization.write_text(re.sub(r"components:\n(  - .*\n)+", "", text))
    return {each["kind"]: each for each in kustomize.built(kubectl, folder)}


def pod(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = objects["Deployment"]["spec"]["template"]["spec"]
    return spec


def container(objects: Objects) -> dict[str, Any]:
    (only,) = pod(objects)["containers"]
    return dict(only)


def configured(objects: Objects) -> dict[str, str]:
    return dict(objects["ConfigMap"]["data"])


@pytest.mark.parametrize("version", VERSIONS)
def test_each_object_is_valid(objects: Objects, version: str) -> None:
    for kind, each in objects.items():
        if (schema := CUSTOM.get(each["apiVersion"])) is not None:
            jsonschema.validate(each["spec"], schema)
        else:
            used = kubernetes_validate.validate(each, version, strict=True)
            assert used.startswith(version.rpartition(".")[0]), kind
        assert each["metadata"]["namespace"] == "ocrsvc"


def test_an_error_would_be_found(kubectl: Path) -> None:
    objects = {each["kind"]: each for each in kustomize.built(kubectl, MANIFESTS / "overlays" / "x86")}
    pod(objects)["containers"][0]["lifecycle"]["preStop"]["snooze"] = {"seconds": 5}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(objects["Deployment"], VERSIONS[0], strict=True)


def test_the_settings_are_ours(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = configured(objects)
    names = {f"OCRSVC_{name.upper()}" for name in Settings.model_fields}
    assert settings.keys() <= names
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    read = Settings()
    mounts = {mount["mountPath"] for mount in container(objects)["volumeMounts"]}
    assert str(read.api_keys_file.parent) in mounts if read.api_keys_file else False
    assert not read.jobs_dsn_file or str(read.jobs_dsn_file.parent) in mounts
    ports = {port["name"]: port["containerPort"] for port in container(objects)["ports"]}
    assert ports == {"http": read.port, "metrics": read.metrics_port}


def test_the_probes_and_ports_exist(objects: Objects) -> None:
    names = {port["name"] for port in container(objects)["ports"]}
    for probe, path in (
        ("startupProbe", "/startupz"),
        ("readinessProbe", "/readyz"),
        ("livenessProbe", "/livez"),
    ):
        asked = container(objects)[probe]["httpGet"]
        assert asked["path"] == path
        assert path in QUIET_ROUTES
        assert asked["port"] in names
    assert {port["targetPort"] for port in objects["Service"]["spec"]["ports"]} == names
    policy = objects["NetworkPolicy"]["spec"]
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} == names
    if (monitor := objects.get("ServiceMonitor")) is not None:
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["path"] in QUIET_ROUTES
        assert endpoint["port"] in {port["name"] for port in objects["Service"]["spec"]["ports"]}
        assert (
            objects["Service"]["metadata"]["labels"].items()
            >= monitor["spec"]["selector"]["matchLabels"].items()
        )


def test_each_selector_finds_the_pods(objects: Objects) -> None:
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        objects["Deployment"]["spec"]["selector"]["matchLabels"],
        objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        objects["Service"]["spec"]["selector"],
    ]
    for selector in selectors:
        assert selector
        assert labels.items() >= selector.items()


def test_a_pod_has_time_to_finish(objects: Objects) -> None:
    pause = container(objects)["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = float(configured(objects)["OCRSVC_DRAIN_SECONDS"])
    assert pod(objects)["terminationGracePeriodSeconds"] >= pause + drain + 5
    probe = container(objects)["readinessProbe"]
    assert pause >= probe["periodSeconds"], "endpoints have changed by then"


def test_the_bench_simulates_this_autoscaler(objects: Objects) -> None:
    simulated = Autoscaler()
    if (scaled := objects.get("ScaledObject")) is not None:
        behaviour = scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        (trigger,) = scaled["spec"]["triggers"]
        target, query = trigger["metadata"]["threshold"], trigger["metadata"]["query"]
        assert scaled["spec"]["pollingInterval"] == simulated.every_seconds
    elif (scaler := objects.get("HorizontalPodAutoscaler")) is not None:
        behaviour = scaler["spec"]["behavior"]
        (metric,) = scaler["spec"]["metrics"]
        target = metric["pods"]["target"]["averageValue"]
        adapter = yaml.safe_load(
            (MANIFESTS / "components" / "hpa" / "prometheus-adapter.yaml").read_text("utf-8")
        )
        (rule,) = adapter["rules"]["custom"]
        query = rule["metricsQuery"]
    else:
        assert objects["Deployment"]["spec"]["replicas"] >= 2
        return
    assert float(target) == simulated.target_seconds
    assert "[1m]" in query
    assert simulated.averaged_seconds == 60
    up, down = behaviour["scaleUp"], behaviour["scaleDown"]
    assert up["stabilizationWindowSeconds"] == 0
    assert up["policies"] == [{"type": "Percent", "value": 100, "periodSeconds": simulated.growth_seconds}]
    assert down["stabilizationWindowSeconds"] == simulated.calm_seconds
    assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": simulated.shrink_seconds}]


def test_a_pod_may_do_little(objects: Objects) -> None:
    image = {name: (ROOT / f"Dockerfile.{name}").read_text("utf-8") for name in ("x86", "arm64")}
    (user,) = {re.search(r"^USER (\d+):(\d+)$", text, re.MULTILINE) for text in [image["x86"]]}
    assert user is not None
    context = pod(objects)["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (int(user[1]), int(user[2]))
    assert context["runAsNonRoot"]
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    own = container(objects)["securityContext"]
    assert own["readOnlyRootFilesystem"]
    assert not own["allowPrivilegeEscalation"]
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert not pod(objects)["automountServiceAccountToken"]
    assert not objects["ServiceAccount"]["automountServiceAccountToken"]
    assert not pod(objects)["enableServiceLinks"]
    # What the image writes to is a volume.
    (cache,) = re.findall(r"OCRSVC_CACHE_DIR=(\S+)", image["x86"])
    mounts = {mount["mountPath"] for mount in container(objects)["volumeMounts"]}
    assert str(Path(cache).parent) in mounts
    resources = container(objects)["resources"]
    assert resources["requests"]["memory"] == resources["limits"]["memory"]
    assert resources["requests"]["cpu"] == resources["limits"]["cpu"]


def test_the_autoscaler_s_metric_is_ours(objects: Objects) -> None:
    source = (ROOT / "src/ocrsvc/service/scheduler_metrics.py").read_text("utf-8")
    metric = "ocrsvc_queue_eta_seconds"
    assert f'"{metric}"' in source
    if (scaler := objects.get("HorizontalPodAutoscaler")) is not None:
        (used,) = scaler["spec"]["metrics"]
        assert used["pods"]["metric"]["name"] == metric
        (rule,) = yaml.safe_load((MANIFESTS / "components/hpa/prometheus-adapter.yaml").read_text("utf-8"))[
            "rules"
        ]["custom"]
        assert rule["seriesQuery"].startswith(f"{metric}{{")
    elif (scaler := objects.get("ScaledObject")) is not None:
        (trigger,) = scaler["spec"]["triggers"]
        assert re.findall(r"ocrsvc_\w+", trigger["metadata"]["query"]) == [metric]
    if scaler is None:
        assert objects["Deployment"]["spec"]["replicas"] == 2
    else:
        assert scaler["spec"]["scaleTargetRef"]["name"] == objects["Deployment"]["metadata"]["name"]
        assert "replicas" not in objects["Deployment"]["spec"], "it would be set back by each apply"


def test_the_way_out_is_open_for_jobs_alone(objects: Objects) -> None:
    rules = objects["NetworkPolicy"]["spec"].get("egress", [])
    ports = {port["port"] for rule in rules for port in rule["ports"]}
    assert ports == ({53, 5432} if "OCRSVC_JOBS_DSN_FILE" in configured(objects) else set())


def test_the_overlays_are_for_their_processors(kubectl: Path) -> None:
    for name, architecture in (("x86", "amd64"), ("arm64", "arm64")):
        folder = MANIFESTS / "overlays" / name
        objects = {each["kind"]: each for each in kustomize.built(kubectl, folder)}
        assert pod(objects)["nodeSelector"] == {"kubernetes.io/arch": architecture}
        assert container(objects)["image"] == f"localhost/ocrsvc:{name}"
        assert ("affinity" in pod(objects)) == (name == "arm64")


def test_the_overlay_of_the_docs(kubectl: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "kubernetes.md").read_text("utf-8")
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    mine = shutil.copytree(MANIFESTS, tmp_path / "k8s") / "overlays" / "mine"
    mine.mkdir()
    (mine / "kustomization.yaml").write_text(example)
    objects = {each["kind"]: each for each in kustomize.built(kubectl, mine)}
    assert container(objects)["image"] == "registry.example.org/ocrsvc:1.0"
    assert configured(objects)["OCRSVC_MODEL"] == "crnn-fast"
    assert "OCRSVC_JOBS_DSN_FILE" in configured(objects)
    assert (
        container(objects)["envFrom"][0]["configMapRef"]["name"] == objects["ConfigMap"]["metadata"]["name"]
    )
