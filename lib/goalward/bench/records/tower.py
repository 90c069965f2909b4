"""How much of a device's best speed a deep residual tower reaches, in bfloat16.

The yardstick is measured too: one large product of matrices on the same device. A tower's products
are smaller, and between them lie activations and sums; the share says what that costs.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from goalward.nets.mlp import ResidualMLP


def measure(layers: int, width: int, batch: int, product: int, seconds: float) -> dict[str, Any]:
    """Floating-point operations a second of a tower's gradient and of a plain product.

    Only the products of the hidden layers are counted: forward one, backward two of the same size.

    Args:
        layers: hidden layers of the tower, two a residual block.
        width: of each.
        batch: rows.
        product: side of the square matrices of the yardstick.
        seconds: how long each is timed, at least.
    """
    tower = ResidualMLP(width, layers // 2, width)
    x = jax.random.normal(jax.random.key(0), (batch, width), jnp.bfloat16)
    params = jax.tree.map(
        lambda leaf: leaf.astype(jnp.bfloat16), tower.init(jax.random.key(1), x[:1])
    )
    gradient = jax.jit(jax.grad(lambda p: jnp.sum(tower.apply(p, x) ** 2)))  # type: ignore
    side = jax.random.normal(jax.random.key(2), (product, product), jnp.bfloat16)
    best = 2 * product**3 / _seconds(jax.jit(jnp.matmul), (side, side), seconds)
    reached = 6 * batch * width**2 * 2 * (layers // 2) / _seconds(gradient, (params,), seconds)
    device = jax.devices()[0]
    return {
        "device": f"{device.platform} ({device.device_kind})",
        "layers": layers,
        "width": width,
        "batch": batch,
        "tower_flops_per_second": reached,
        "product_flops_per_second": best,
        "share": reached / best,
    }


def _seconds(function: Callable[..., Any], arguments: tuple[Any, ...], least: float) -> float:
    """Of one call, without its compilation; the best of three times."""
    jax.block_until_ready(function(*arguments))
    times = []
    for _ in range(3):
        calls, begun = 0, time.perf_counter()
        while True:
            answer = function(*arguments)
            calls += 1
            if calls % 8 == 0:
                jax.block_until_ready(answer)
                if time.perf_counter() - begun > least:
                    break
        times.append((time.perf_counter() - begun) / calls)
    return min(times)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write what was found."""
    parser = argparse.ArgumentParser(description=measure.__doc__)
    for name, default in (("layers", 64), ("width", 1024), ("batch", 8192), ("product", 8192)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--out", type=Path, required=True)
    options = vars(parser.parse_args(arguments))
    out = options.pop("out")
    found = measure(**options)
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"share of the best product: {found['share']:.2f} on {found['device']}")


if __name__ == "__main__":
    main()
