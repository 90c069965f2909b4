"""Which cluster is joined, and whether it has room: one line, within seconds, before anything."""

import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from goalward.bench.data.names import Mendable
from goalward.bench.sweep import cluster
from goalward.bench.sweep.cluster import check_room, connected, outcomes
from goalward.bench.sweep.plan import Resources, Trial
from goalward.bench.sweep.process import Lost, run_trial


def node(alive: bool = True, **resources: float) -> dict:
    return {"Alive": alive, "Resources": {"memory": 1e9, **resources}}


@pytest.mark.parametrize(
    ("resources", "room"),
    [
        (Resources(cpus=4), True),
        (Resources(cpus=5), False),
        (Resources(cpus=2, gpus=0.5), True),
        (Resources(cpus=2, gpus=1), True),
        (Resources(cpus=2, gpus=2), False),
        (Resources(cpus=4, gpus=1), False),  # each on one node, but not together
    ],
)
def test_one_node_has_what_a_trial_takes(resources: Resources, room: bool) -> None:
    nodes = [node(CPU=4.0), node(CPU=2.0, GPU=1.0), node(False, CPU=64.0, GPU=8.0)]
    if room:
        check_room(resources, nodes)
        return
    with pytest.raises(Mendable) as error:
        check_room(resources, nodes)
    assert str(error.value) == (
        f"no node has what a trial takes ({resources}), but 4 cores or 2 cores, 1 GPU: "
        "change [resources], or add a node"
    )


def test_no_node_at_all() -> None:
    with pytest.raises(Mendable, match="but there is none"):
        check_room(Resources(), [node(False, CPU=8.0)])


@pytest.mark.parametrize("address", ["ray://head:10001", "head", "head:port", ":6379", "a:b:c"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(Mendable, match="--address is HOST:PORT"), connected(address):
        pass


@pytest.fixture
def silent() -> Iterator[str]:
    """Something listens and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_nobody_answers(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.monotonic()
    dead = silent.replace("127.0.0.1", "127.0.0.2")  # the same port, where nobody listens
    with pytest.raises(Mendable, match=f"no Ray cluster answers at {dead} .*refused"):
        cluster._probe(dead)
    with pytest.raises(Mendable, match=r"no Ray cluster answers at 127\.0\.0\.1:99999"):
        cluster._probe("127.0.0.1:99999")
    assert time.monotonic() - begun < cluster.ANSWER
    pytest.importorskip("ray")
    monkeypatch.setattr(cluster, "JOIN", 3.0)
    with pytest.raises(Mendable, match=f"answers at {silent} within 3 seconds: start one there"):
        cluster._probe(silent)


def test_a_cluster_that_refuses_says_why(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PROBE", "raise RuntimeError('another version of Ray')")
    with pytest.raises(Mendable, match=r"cannot be joined \(RuntimeError: another version of Ray"):
        cluster._probe(silent)


class TaskError(Exception):
    """As Ray wraps what a task raised."""

    def __init__(self, cause: Exception) -> None:
        super().__init__("many lines")
        self.cause = cause


class FakeRay:
    """Ends one task a look, the first that was asked for; a result that is an error is raised."""

    def __init__(self, *results: object) -> None:
        self.results, self.asked, self.most = list(results), 0, 0
        self.held = [node(CPU=8.0)]
        self.exceptions = SimpleNamespace(RayTaskError=TaskError, RayError=RuntimeError)

    def nodes(self) -> list[dict]:
        return self.held

    def remote(self, function: Callable[..., int]) -> SimpleNamespace:
        self.function = function
        return SimpleNamespace(options=self.options)

    def options(self, **asked: object) -> SimpleNamespace:
        self.wanted = asked
        return SimpleNamespace(remote=self.ask)

    def ask(self, *arguments: object) -> int:
        self.arguments, self.asked = arguments, self.asked + 1
        return self.asked - 1

    def wait(self, tasks: list[int], num_returns: int, timeout: float) -> tuple[list, list]:
        assert num_returns == len(tasks)
        self.most = max(self.most, len(tasks))
        return tasks[:1], tasks[1:]

    def get(self, task: int) -> object:
        if isinstance(result := self.results[task], Exception):
            raise result
        return result


TRIALS = [Trial(Path("runs") / name, (), ("m", "e"), 1) for name in "abcd"]


def run(
    ray: FakeRay, monkeypatch: pytest.MonkeyPatch, jobs: int | None = None
) -> Iterator[dict[str, str]]:
    monkeypatch.setitem(sys.modules, "ray", ray)
    for ended in outcomes(TRIALS, Resources(2, 0.5, 7), "mine", jobs):
        yield {trial.name: reason for trial, reason in ended.items()}


def test_ray_is_asked_for_what_a_trial_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(0, 0, 0, 0)
    ray.held = [node(CPU=2.0, GPU=1.0)]
    assert [*run(ray, monkeypatch)] == [{name: ""} for name in "abcd"]
    assert ray.most == 4
    assert ray.function is run_trial
    assert ray.arguments == (TRIALS[3], Resources(2, 0.5, 7), str(Path.cwd()), "mine")
    wanted = {"num_cpus": 2, "num_gpus": 0.5, "max_retries": 7, "retry_exceptions": [Lost]}
    assert ray.wanted.items() >= wanted.items()


@pytest.mark.parametrize("jobs", [1, 3])
def test_no_more_at_a_time_than_allowed(jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(0, 0, 0, 0)
    ray.held = [node(CPU=8.0, GPU=8.0)]
    assert [*run(ray, monkeypatch, jobs)] == [{name: ""} for name in "abcd"]
    assert ray.most == jobs


def test_why_each_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(0, 2, TaskError(Lost("killed by signal 9\nand more")), RuntimeError("gone"))
    ray.held = [node(CPU=8.0, GPU=8.0)]
    assert [*run(ray, monkeypatch)] == [
        {"a": ""},
        {"b": "exit status 2"},
        {"c": "killed by signal 9"},
        {"d": "its worker or node was lost too often (RuntimeError)"},
    ]


def test_the_last_node_with_room_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A while for it to come back; not for ever."""
    now = [0.0]
    monkeypatch.setattr(cluster.time, "monotonic", lambda: now[0])
    ray = FakeRay(0, 0, 0, 0)
    ray.held = [node(CPU=8.0, GPU=8.0)]
    made = run(ray, monkeypatch)
    assert next(made) == {"a": ""}
    ray.held = [node(CPU=8.0)]
    assert next(made) == {"b": ""}
    now[0] += cluster.GONE / 2
    assert next(made) == {"c": ""}
    now[0] += cluster.GONE
    with pytest.raises(Mendable, match="no node has what a trial takes"):
        next(made)
    with pytest.raises(Mendable, match="no node has"):  # and at once where there never was one
        next(run(ray, monkeypatch))
