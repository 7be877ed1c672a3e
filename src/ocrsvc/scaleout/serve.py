"""The service as a deployment of Ray Serve: ``serve run ocrsvc.scaleout.serve:build``, or deploy/ray/serve.yaml.

Settings are the OCRSVC_* variables of the replicas (``runtime_env: env_vars``), as everywhere else. The recommended way
to many replicas is another one: docs/bulk.md says which, and why.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report to its makers

import ray
from ray import serve

from ocrsvc.diagnosis import configuration
from ocrsvc.errors import InvalidParameter
from ocrsvc.service.api_keys import ApiKeys, WrongKey

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ocrsvc.settings import Settings

QUEUE = "queue_eta_seconds"
_MARGIN_SECONDS = 5.0  # after the drain time, in which the models are closed
_MARGIN_REQUESTS = 32  # beyond ours, so that it is the service that refuses, with Retry-After
_CHECK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Scale:
    """How many replicas: so many ``cores`` each, as many as bring the queue of each to ``target_queue_seconds``."""

    cores: int = 4
    min_replicas: int = 1
    max_replicas: int = 8
    target_queue_seconds: float = 2.0


def build(arguments: Mapping[str, Any]) -> Any:
    """Return the application for Ray Serve; ``arguments`` are the fields of ``Scale``.

    Raises InvalidParameter for an argument that is none, InvalidSettings as ``ocrsvc serve`` does.
    """
    try:
        scale = Scale(**arguments)
    except TypeError as error:
        raise InvalidParameter(f"Arguments of the deployment: {error}.") from error
    settings = _settings()
    deployment = serve.deployment(
        serve.ingress(application)(Replica),
        name="ocrsvc",
        max_ongoing_requests=settings.max_requests + _MARGIN_REQUESTS,
        ray_actor_options={"num_cpus": scale.cores},
        health_check_period_s=_CHECK_SECONDS,
        graceful_shutdown_wait_loop_s=0.5,
        graceful_shutdown_timeout_s=settings.drain_seconds + _MARGIN_SECONDS,
        autoscaling_config={
            "min_replicas": scale.min_replicas,
            "max_replicas": scale.max_replicas,
            "look_back_period_s": 15.0,
            "upscale_delay_s": 15.0,
            "downscale_delay_s": 300.0,
            "policy": {
                "policy_function": "ocrsvc.scaleout.serve:QueuePolicy",
                "policy_kwargs": {"target_queue_seconds": scale.target_queue_seconds},
            },
        },
    )
    return deployment.bind()


def application() -> FastAPI:
    """Return the application of one replica, which takes requests once its models are loaded."""
    from ocrsvc.service.app import create_app

    cores = int(ray.get_runtime_context().get_assigned_resources().get("CPU", 0))
    settings = _settings()
    if settings.workers is None and cores:
        settings = settings.model_copy(update={"workers": cores})
    return create_app(settings, load_first=True)


def _settings() -> Settings:
    settings = configuration.load()
    try:
        needs_key = ApiKeys.of(settings).required
    except WrongKey as error:
        raise configuration.InvalidSettings(f"OCRSVC_API_KEYS or OCRSVC_API_KEYS_FILE: {error}") from error
    if not needs_key and not settings.allow_anonymous:
        raise configuration.InvalidSettings(
            "OCRSVC_API_KEYS: Ray's proxy lets other machines in: set OCRSVC_API_KEYS or OCRSVC_API_KEYS_FILE, or "
            "OCRSVC_ALLOW_ANONYMOUS=true if anybody who reaches the port may use it"
        )
    return settings


class Replica:
    """What Ray Serve asks of a replica; ``serve.ingress`` adds ``app``."""

    app: FastAPI

    async def check_health(self) -> None:
        """Raise Unavailable if a request would not be answered; Ray then replaces the replica."""
        self.app.state.service.check_ready()
        self.app.state.service.check_alive()

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Return the estimated time until all accepted work is done."""
        return {QUEUE: float(self.app.state.service.eta_seconds())}


class QueuePolicy:
    """Asks for as many replicas as bring the estimated queue of each to a target; Ray adds delays and bounds."""

    def __init__(self, target_queue_seconds: float = 2.0) -> None:
        self._target_seconds = target_queue_seconds

    def __call__(self, context: Any) -> tuple[int, dict[str, Any]]:
        """Return the wanted number of replicas, and no state."""
        queues = (context.aggregated_metrics or {}).get(QUEUE) or {}
        if not queues:  # nothing is known yet, or the controller has restarted
            return context.target_num_replicas, {}
        return max(1, math.ceil(sum(queues.values()) / self._target_seconds)), {}
