"""Which cluster is joined, and whether it has room: one line, within seconds, before anything."""

import socket
import time
from collections.abc import Iterator

import pytest

from goalward.bench.data.names import Mendable
from goalward.bench.sweep import cluster
from goalward.bench.sweep.cluster import check_room, connected
from goalward.bench.sweep.plan import Resources


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
