"""The deployment of Ray Serve without a cluster: its options, its policy, and deploy/ray/serve.yaml."""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from available import need_ray

need_ray()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own
    from ray.serve.config import AutoscalingContext
    from ray.serve.schema import ServeDeploySchema

    from ocrsvc.scaleout.serve import QUEUE, QueuePolicy, Scale, build

from ocrsvc.diagnosis.configuration import InvalidSettings
from ocrsvc.errors import InvalidParameter
from ocrsvc.settings import Settings

pytestmark = pytest.mark.filterwarnings("default")

ROOT = Path(__file__).parents[2]


def context(queues: dict[str, float]) -> Any:
    names = ("last_scale_up_time", "last_scale_down_time", "current_time", "config", "raw_metrics")
    return AutoscalingContext(
        deployment_id="ocrsvc",
        deployment_name="ocrsvc",
        app_name="ocrsvc",
        current_num_replicas=2,
        target_num_replicas=2,
        running_replicas=[],
        total_num_requests=0.0,
        total_queued_requests=0.0,
        aggregated_metrics={QUEUE: queues} if queues else {},
        capacity_adjusted_min_replicas=1,
        capacity_adjusted_max_replicas=8,
        policy_state={},
        **dict.fromkeys(names),
    )


@pytest.mark.parametrize(
    ("queues", "wanted"),
    [({}, 2), ({"a": 0.0, "b": 0.0}, 1), ({"a": 1.0, "b": 3.0}, 2), ({"a": 9.0, "b": 4.1}, 7)],
)
def test_replicas_follow_the_queues(queues: dict[str, float], wanted: int) -> None:
    assert QueuePolicy(2.0)(context(queues)) == (wanted, {})


def test_options_follow_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCRSVC_API_KEYS", "0123456789abcdef")
    monkeypatch.setenv("OCRSVC_DRAIN_SECONDS", "40")
    monkeypatch.setenv("OCRSVC_MAX_REQUESTS", "10")
    deployment = build({"cores": 2, "max_replicas": 3})._bound_deployment
    assert deployment.max_ongoing_requests > 10
    assert deployment.ray_actor_options["num_cpus"] == 2
    assert deployment._deployment_config.graceful_shutdown_timeout_s == 45
    scaling = deployment._deployment_config.autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas) == (1, 3)


def test_nobody_is_let_in_by_accident() -> None:
    with pytest.raises(InvalidSettings, match="OCRSVC_ALLOW_ANONYMOUS=true"):
        build({})


def test_an_argument_that_is_none_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCRSVC_API_KEYS", "0123456789abcdef")
    with pytest.raises(InvalidParameter, match="replicas"):
        build({"replicas": 2})


def test_the_configuration_is_one() -> None:
    body = yaml.safe_load((ROOT / "deploy" / "ray" / "serve.yaml").read_text("utf-8"))
    application = ServeDeploySchema(**body).applications[0]
    module, _, name = str(application.import_path).partition(":")
    assert getattr(import_module(module), name) is build
    assert Scale(**application.args) == Scale()
    variables = application.runtime_env["env_vars"]
    assert {name.removeprefix("OCRSVC_").lower() for name in variables} <= set(Settings.model_fields)
    assert body["http_options"]["request_timeout_s"] > float(variables["OCRSVC_DEADLINE_SECONDS"])
