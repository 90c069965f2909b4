"""The convolutional encoder against XLA's own convolution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.nets.conv import ConvEncoder


@pytest.mark.parametrize("size", [16, 9])
def test_it_is_a_convolution_of_stride_two(size):
    images = jax.random.randint(jax.random.key(0), (3, size, size, 2), 0, 256).astype(jnp.uint8)
    encoder = ConvEncoder((4, 5), out=6)
    params = encoder.init(jax.random.key(1), images)
    x = images / 255.0
    for name, inputs, outputs in (("Dense_0", 2, 4), ("Dense_1", 4, 5)):
        layer = params["params"][name]
        kernel = layer["kernel"].reshape(3, 3, inputs, outputs)
        x = jax.lax.conv_general_dilated(
            x, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        x = jax.nn.relu(x + layer["bias"])
    last = params["params"]["Dense_2"]
    expected = jax.nn.relu(x.reshape(3, -1) @ last["kernel"] + last["bias"])
    np.testing.assert_allclose(encoder.apply(params, images), expected, rtol=1e-4, atol=1e-5)
