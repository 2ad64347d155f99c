"""The user's sharding is kept: two devices measure what one does, each on its part of the batch."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np

SCRIPT = """
import json
import jax, jax.flatten_util, jax.numpy as jnp, numpy as np
jax.config.update("jax_enable_x64", True)
from jax.sharding import Mesh, NamedSharding, PartitionSpec
import eigenstep.jax as ej

generator = np.random.default_rng(0)
params = {"w": generator.normal(size=(3, 8)), "b": np.zeros(8), "v": generator.normal(size=(8, 2))}
x, y = generator.normal(size=(24, 3)), generator.normal(size=(24, 2))

def loss(params, batch):
    x, y = batch
    return jnp.mean((jnp.tanh(x @ params["w"] + params["b"]) @ params["v"] - y) ** 2)

mesh = Mesh(np.array(jax.devices()), ("samples",))
rows = NamedSharding(mesh, PartitionSpec("samples"))
seen = []

def shown(params, batch):
    jax.debug.inspect_array_sharding(batch[0], callback=lambda sharding: seen.append(str(sharding)))
    return loss(params, batch)

whole = jax.device_put(params, NamedSharding(mesh, PartitionSpec()))
split = dict(whole, w=jax.device_put(params["w"], NamedSharding(mesh, PartitionSpec(None, "samples"))))
batch = (jax.device_put(x, rows), jax.device_put(y, rows))
options = dict(count=3, which="both", tolerance=1e-10)
found = {
    "devices": len(jax.devices()),
    "one": ej.eigenpairs(loss, params, (x, y), **options).values.tolist(),
    "batch": ej.eigenpairs(shown, whole, batch, **options).values.tolist(),
    "both": ej.eigenpairs(loss, split, batch, **options).values.tolist(),
    "seen": seen,
}
flat, back = jax.flatten_util.ravel_pytree({n: jnp.asarray(p) for n, p in params.items()})
dense = np.linalg.eigvalsh(np.asarray(jax.hessian(lambda p: loss(back(p), (x, y)))(flat)))
found["dense"] = np.concatenate([dense[:-4:-1], dense[:3]]).tolist()
print(json.dumps(found))
"""


def test_a_batch_and_parameters_over_two_devices() -> None:
    environment = {
        **os.environ,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "JAX_PLATFORMS": "cpu",
    }
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["devices"] == 2
    for way in ("one", "batch", "both"):
        assert np.abs(np.array(found[way]) - found["dense"]).max() < 1e-6
    # The compiled products work on rows that lie on both devices.
    assert found["seen"] and all("samples" in sharding or "devices=[2" in sharding for sharding in found["seen"])
