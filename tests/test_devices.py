"""Every level runs where it is told to: no weight, constant, mask or index stays behind on the CPU.

On a GPU, each level gives what it gives on the CPU. Without one, the engine runs on arrays that refuse to mix with NumPy's, as CuPy's
do, and PyTorch's weights are moved to "meta", the device that any PyTorch has.
"""

import numpy as np
import pytest

from dlfs.levels import build_level, initial_level
from dlfs.studies import all_studies
from framework import backend
from tests.engine import foreign

CASES = [
    pytest.param(study, config, id=f"{study.folder.name} {name}")
    for study in all_studies()
    for name, config in study.fact("VARIANTS").items()
]


def agrees(study, config, level):
    """The level on "cuda" gives what it gives on the CPU: outputs, loss, gradients, the loss of three steps, and the trained weights."""
    here, there = (build_level(study, level, config, dtype="float64", device=device) for device in ("cpu", "cuda"))
    state = {
        name: x.astype(np.float64) if x.dtype.kind == "f" else x
        for name, x in initial_level(study, config, 0).state().items()
    }
    batch = study.fact("example_batch")(config, np.random.default_rng(0))
    found = []
    for place in (here, there):
        place.load_state(state)
        values = place.evaluate(*batch)
        steps = [place.sgd_step(*batch, lr=1e-3) for _ in range(3)]
        found.append(
            [*values.outputs, values.loss, *values.gradients.values(), np.array(steps), *place.state().values()]
        )
    largest = max(np.abs(g).max(initial=0) for g in values.gradients.values())
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-9 * max(1, largest))


@pytest.mark.parametrize(("study", "config"), CASES)
def test_the_engine_on_arrays_that_refuse_numpys(study, config, monkeypatch):
    monkeypatch.setattr(backend, "cupy", lambda: foreign.library)
    agrees(study, config, "engine")


@pytest.mark.parametrize("level", ["lowlevel", "paper"])
@pytest.mark.parametrize(("study", "config"), CASES)
def test_every_weight_of_pytorchs_is_moved(study, config, level):
    there = build_level(study, level, config, device="meta")
    assert {tensor.device.type for tensor in there.model.state_dict().values()} == {"meta"}
    assert all(parameter.is_leaf and parameter.requires_grad for parameter in there.parameters().values())


@pytest.mark.gpu
@pytest.mark.parametrize("level", ["engine", "lowlevel", "paper"])
@pytest.mark.parametrize(("study", "config"), CASES)
def test_a_level_on_the_gpu(study, config, level):
    agrees(study, config, level)
