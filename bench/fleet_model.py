"""A model of many replicas behind a balancer, simulated with SimPy: pages come, wait, are read, refused or lost.

A replica has some workers, which take the runs of pages first come, first served: one run to decode and detect, then
the runs of its lines, on as many workers as are free. It refuses a page when the work that waits exceeds its limit, and
is not ready before its cold start is over. Network and balancer take no time of their own.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import simpy

Process = Generator[Any, Any, None]
_LINES_A_RUN = 8
_SCRAPED_SECONDS = 5.0  # between two looks of Prometheus

STARTING, READY, DRAINING, DEAD = "starting", "ready", "draining", "dead"
ANSWERED, REFUSED, LOST = "answered", "refused", "lost"


@dataclass(frozen=True, slots=True)
class PageCost:
    """CPU seconds of a page until its lines are found, CPU seconds of its lines, and how many there are."""

    found_seconds: float
    lines_seconds: float
    lines: int

    @property
    def seconds(self) -> float:
        """Return all CPU seconds of the page."""
        return self.found_seconds + self.lines_seconds

    @property
    def runs(self) -> int:
        """Return how many runs of the recogniser read the lines."""
        return -(-self.lines // _LINES_A_RUN)


@dataclass(frozen=True, slots=True)
class Fleet:
    """What a simulation is about; times in seconds.

    ``balancer`` is a key of BALANCERS. ``load`` is the share of the capacity of ``replicas`` that is asked for.
    """

    replicas: int
    workers: int = 4
    load: float = 0.7
    balancer: str = "least connections"
    queue_seconds: float = 60.0
    cold_start_seconds: float = 15.0
    lifetime_seconds: float = math.inf  # of a replica until it crashes, on average


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """Kubernetes' HorizontalPodAutoscaler on the estimated waits of the replicas, averaged over some time.

    Within ``growth_seconds`` it at most doubles their number. It takes one away each ``shrink_seconds``, if fewer were
    enough for ``calm_seconds``. Its defaults are those of deploy/k8s.
    """

    target_seconds: float = 5.0
    most_replicas: int = 1000
    every_seconds: float = 15.0
    averaged_seconds: float = 60.0
    growth_seconds: float = 30.0
    shrink_seconds: float = 60.0
    calm_seconds: float = 300.0
    tolerance: float = 0.1


@dataclass(frozen=True, slots=True)
class Seen:
    """A page: when it came, when it was answered, refused or lost, and which of these."""

    came: float
    ended: float
    outcome: str


@dataclass(slots=True)
class Course:
    """What a simulation saw: its pages, and the number of ready replicas over the time."""

    pages: list[Seen] = field(default_factory=list)
    ready: list[tuple[float, int]] = field(default_factory=list)


class Replica:
    """One process of the service."""

    def __init__(self, env: simpy.Environment, fleet: Fleet, *, ready: bool) -> None:
        self._env = env
        self._workers = simpy.Resource(env, fleet.workers)
        self._fleet = fleet
        self.state = READY if ready else STARTING
        self.inside = 0  # pages
        self.work_seconds = 0.0  # CPU time of the pages inside that is still to be done

    @property
    def eta_seconds(self) -> float:
        """Return the estimated wait, as the service's metric does."""
        return self.work_seconds / self._fleet.workers

    def start(self) -> Process:
        """Become ready after the cold start."""
        yield self._env.timeout(self._fleet.cold_start_seconds)
        if self.state == STARTING:
            self.state = READY

    def read(self, cost: PageCost, pages: list[Seen]) -> Process:
        """Read a page, and note what became of it."""
        came = self._env.now
        if self.eta_seconds > self._fleet.queue_seconds:
            pages.append(Seen(came, came, REFUSED))
            return
        self.inside += 1
        self.work_seconds += cost.seconds
        yield from self._run(cost.found_seconds)
        if cost.runs:
            share = cost.lines_seconds / cost.runs
            yield self._env.all_of([self._env.process(self._run(share)) for _ in range(cost.runs)])
        self.inside -= 1
        pages.append(Seen(came, self._env.now, LOST if self.state == DEAD else ANSWERED))

    def _run(self, seconds: float) -> Process:
        if self.state == DEAD:
            return
        with self._workers.request() as worker:
            yield worker
            if self.state != DEAD:
                yield self._env.timeout(seconds)
        self.work_seconds -= seconds


def round_robin(_: random.Random) -> Callable[[Sequence[Replica]], Replica]:
    """Each replica in its turn."""
    turns = iter(range(10**12))
    return lambda ready: ready[next(turns) % len(ready)]


def at_random(rng: random.Random) -> Callable[[Sequence[Replica]], Replica]:
    """Any replica: what kube-proxy does."""
    return rng.choice


def least_connections(rng: random.Random) -> Callable[[Sequence[Replica]], Replica]:
    """The replica with the fewest pages inside: nginx's ``least_conn``."""
    return lambda ready: min(ready, key=lambda replica: (replica.inside, rng.random()))


def better_of_two(rng: random.Random) -> Callable[[Sequence[Replica]], Replica]:
    """The one with fewer pages inside of two: nginx's ``random two least_conn``, for many balancers."""
    return lambda ready: min(rng.choice(ready), rng.choice(ready), key=lambda replica: replica.inside)


BALANCERS = {
    "random": at_random,
    "round robin": round_robin,
    "better of two": better_of_two,
    "least connections": least_connections,
}


class Simulation:
    """Pages of random ``costs`` that come to a fleet at random times (Poisson). Equal seeds give equal courses."""

    def __init__(self, fleet: Fleet, costs: Sequence[PageCost], seed: int = 0) -> None:
        self.env = simpy.Environment()
        self.fleet = fleet
        self.course = Course()
        self.replicas: list[Replica] = []
        self._costs = costs
        self._rng = random.Random(seed)
        self._choose = BALANCERS[fleet.balancer](self._rng)
        for _ in range(fleet.replicas):
            self._add(ready=True)

    def run(self, seconds: float, load: Callable[[float], float] | None = None) -> Course:
        """Let pages come for so long, wait for those inside, and return what was seen.

        ``load(now)`` multiplies the load of the fleet.
        """
        self.env.process(self._arrivals(seconds, load or (lambda _: 1.0)))
        self.env.process(self._watch(seconds))
        self.env.run(until=seconds + 2 * self.fleet.queue_seconds)
        return self.course

    def autoscaled(self, scaler: Autoscaler) -> None:
        """Let an autoscaler add and drain replicas."""
        self.env.process(self._scale(scaler))

    def rolled_out(self, at: float, *, surge: int, unavailable: int) -> None:
        """Replace all replicas from then on, with at most so many more or fewer than there are."""
        self.env.process(self._roll_out(at, surge, unavailable))

    def _add(self, *, ready: bool) -> Replica:
        replica = Replica(self.env, self.fleet, ready=ready)
        self.replicas.append(replica)
        if not ready:
            self.env.process(replica.start())
        if self.fleet.lifetime_seconds < math.inf:
            self.env.process(self._crash(replica))
        return replica

    def _ready(self) -> list[Replica]:
        return [replica for replica in self.replicas if replica.state == READY]

    def _arrivals(self, seconds: float, load: Callable[[float], float]) -> Process:
        mean = sum(cost.seconds for cost in self._costs) / len(self._costs)
        rate = self.fleet.load * self.fleet.replicas * self.fleet.workers / mean
        while self.env.now < seconds:
            yield self.env.timeout(self._rng.expovariate(rate * load(self.env.now)))
            ready = self._ready()
            if ready:
                self.env.process(self._choose(ready).read(self._rng.choice(self._costs), self.course.pages))
            else:
                self.course.pages.append(Seen(self.env.now, self.env.now, REFUSED))

    def _watch(self, seconds: float) -> Process:
        while self.env.now <= seconds:
            self.course.ready.append((self.env.now, len(self._ready())))
            yield self.env.timeout(5.0)

    def _crash(self, replica: Replica) -> Process:
        yield self.env.timeout(self._rng.expovariate(1 / self.fleet.lifetime_seconds))
        if replica.state in (STARTING, READY):
            replica.state = DEAD
            self.replicas.remove(replica)
            self._add(ready=False)

    def _drain(self, replicas: Sequence[Replica]) -> None:
        for replica in replicas:
            replica.state = DRAINING
            self.replicas.remove(replica)

    def _scale(self, scaler: Autoscaler) -> Process:
        def recent(seconds: float, every: float) -> deque[Any]:
            return deque(maxlen=max(1, round(seconds / every)))

        waits: deque[float] = recent(scaler.averaged_seconds, _SCRAPED_SECONDS)
        wanted: deque[int] = recent(scaler.calm_seconds, scaler.every_seconds)
        counts: deque[int] = recent(scaler.growth_seconds, scaler.every_seconds)
        shrunk = turn = 0.0
        while True:
            yield self.env.timeout(_SCRAPED_SECONDS)
            ready, count = self._ready(), len(self.replicas)
            waits.append(sum(replica.eta_seconds for replica in ready))
            turn += _SCRAPED_SECONDS
            if turn < scaler.every_seconds:
                continue
            turn = 0.0
            counts.append(count)
            usage = sum(waits) / len(waits) / scaler.target_seconds  # replicas that would be at the target
            near = abs(usage / max(1, count) - 1) <= scaler.tolerance
            needed = count if near else math.ceil(usage)
            wanted.append(min(max(needed, self.fleet.replicas), scaler.most_replicas))
            if wanted[-1] > count:
                for _ in range(min(wanted[-1], 2 * counts[0]) - count):
                    self._add(ready=False)
            elif max(wanted) < count and self.env.now >= shrunk + scaler.shrink_seconds:
                self._drain(ready[-1:])
                shrunk = self.env.now

    def _roll_out(self, at: float, surge: int, unavailable: int) -> Process:
        yield self.env.timeout(at)
        old = list(self.replicas)
        while old:
            self._drain(old[:unavailable])
            new = [self._add(ready=False) for _ in range(min(surge + unavailable, len(old)))]
            del old[:unavailable]
            yield self.env.timeout(self.fleet.cold_start_seconds)
            surplus = old[: len(new) - unavailable] if surge else []
            self._drain(surplus)
            del old[: len(surplus)]


def windows(course: Course, seconds: float) -> Iterator[tuple[float, list[Seen]]]:
    """Return the pages that came in each window of this length, by its middle."""
    by_window: dict[int, list[Seen]] = {}
    for page in course.pages:
        by_window.setdefault(int(page.came // seconds), []).append(page)
    for number in sorted(by_window):
        yield (number + 0.5) * seconds, by_window[number]
