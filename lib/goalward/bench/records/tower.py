"""How much of a device's matrix speed a deep residual tower reaches: `python -m` of this file.

A training step of `goalward.nets.mlp.ResidualMLP`-like blocks of two square layers against plain
products of large square matrices, in the same number type.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from goalward.nets.mlp import ResidualMLP

LAYERS_A_BLOCK = 2
FORWARD_AND_BACK = 3
"""Products of a training step, in units of the forward pass: two more for the gradient."""


def tower_flops(layers: int, width: int, batch: int) -> float:
    """Floating-point operations of a training step: a multiplication and an addition each."""
    return 2.0 * FORWARD_AND_BACK * layers * batch * width**2


def share(
    layers: int, width: int, batch: int, square: int, seconds: float = 2.0
) -> dict[str, float]:
    """Operations a second of the tower and of plain products, and their ratio.

    Args:
        layers: hidden layers of the tower, an even number.
        width: units of each.
        batch: rows of the input.
        square: rows and columns of the plain product.
        seconds: about how long each is timed.
    """
    key, kind = jax.random.key(0), jnp.bfloat16
    net: Any = ResidualMLP(width, layers // LAYERS_A_BLOCK, width)
    rows = jax.random.normal(key, (batch, width)).astype(kind)
    params = jax.tree.map(lambda leaf: leaf.astype(kind), net.init(key, rows))

    @jax.jit
    def step(params: dict) -> dict:  # type: ignore[type-arg]
        slope = jax.grad(lambda p: jnp.mean(net.apply(p, rows).astype(jnp.float32) ** 2))(params)
        return jax.tree.map(lambda p, g: p - 1e-3 * g.astype(kind), params, slope)

    matrix = jax.random.normal(key, (square, square)).astype(kind) / square**0.5

    @jax.jit
    def product(x: Array) -> Array:
        return x @ matrix

    reached = tower_flops(layers, width, batch) / _each(step, params, seconds)
    peak = 2.0 * square**3 / _each(product, matrix, seconds)
    return {
        "tower_flops_per_second": reached,
        "product_flops_per_second": peak,
        "share": reached / peak,
    }


def _each(step: Callable[[Any], Any], start: Any, seconds: float) -> float:
    """Seconds a call, each fed with the result of the one before; compilation is not counted."""
    held = jax.block_until_ready(step(start))
    begun, calls = time.perf_counter(), 0
    while calls == 0 or time.perf_counter() - begun < seconds:
        for _ in range(10):
            held = step(held)
        jax.block_until_ready(held)
        calls += 10
    return (time.perf_counter() - begun) / calls


def main() -> None:
    """Print the numbers as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("layers", 64), ("width", 1024), ("batch", 1024), ("square", 8192)):
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = vars(parser.parse_args())
    print(json.dumps(asked | share(**asked)))


if __name__ == "__main__":
    main()
