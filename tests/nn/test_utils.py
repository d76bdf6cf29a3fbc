"""nn.utils against PyTorch's: clipping, parameters as a vector, packed sequences."""

import math

import numpy as np
import pytest
import torch

import framework

ENGINES = (framework, torch)


def model_with_gradients(T):
    model = T.nn.Sequential(T.nn.Linear(3, 4), T.nn.Tanh(), T.nn.Linear(4, 2)).double()
    random = np.random.default_rng(0)
    model.load_state_dict({k: T.tensor(random.standard_normal(tuple(v.shape))) for k, v in model.state_dict().items()})
    model(T.tensor(random.standard_normal((5, 3)))).sum().backward()
    model[2].bias.grad = None
    return model


@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3, math.inf, "inf"])
@pytest.mark.parametrize("max_norm", [0.5, 1000.0])
def test_clip_grad_norm(max_norm, norm_type):
    results = []
    for T in ENGINES:
        model = model_with_gradients(T)
        total = T.nn.utils.clip_grad_norm_(model.parameters(), max_norm, norm_type)
        again = T.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None], norm_type)
        results.append(
            [total.item(), again.item(), *(p.grad.numpy() for p in model.parameters() if p.grad is not None)]
        )
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_clip_grad_value_and_single_parameters():
    for clip in (lambda T, p: T.nn.utils.clip_grad_value_(p, 0.3), lambda T, p: T.nn.utils.clip_grad_norm_(p, 0.3)):
        grads = []
        for T in ENGINES:
            model = model_with_gradients(T)
            clip(T, model[0].weight)
            clip(T, model.parameters())
            grads.append([p.grad.numpy() for p in model.parameters() if p.grad is not None])
        for ours, theirs in zip(*grads, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("T", ENGINES)
def test_a_norm_that_is_no_number_is_an_error_where_asked(T):
    model = model_with_gradients(T)
    with T.no_grad():
        model[0].weight.grad[0, 0] = math.nan
    with pytest.raises(RuntimeError, match="error_if_nonfinite=False"):
        T.nn.utils.clip_grad_norm_(model.parameters(), 1.0, error_if_nonfinite=True)
    assert math.isnan(T.nn.utils.clip_grad_norm_(model.parameters(), 1.0).item())
    assert T.nn.utils.clip_grad_norm_([], 1.0).item() == 0


@pytest.mark.parametrize("T", ENGINES)
def test_parameters_as_a_vector(T):
    model = model_with_gradients(T)
    vector = T.nn.utils.parameters_to_vector(model.parameters())
    assert vector.shape == (3 * 4 + 4 + 4 * 2 + 2,) and vector.requires_grad
    T.nn.utils.vector_to_parameters(T.arange(26, dtype=T.float64), model.parameters())
    assert model[2].bias.tolist() == [24.0, 25.0] and model[0].weight[0].tolist() == [0.0, 1.0, 2.0]
    assert T.nn.utils.parameters_to_vector(model.parameters()).tolist() == list(range(26))


def test_a_vector_of_another_length_is_refused():
    model = model_with_gradients(framework)
    with pytest.raises(ValueError, match=r"26 elements, the vector has shape \(25,\)"):
        framework.nn.utils.vector_to_parameters(framework.zeros(25), model.parameters())


# --- sequences --------------------------------------------------------------------------------------------------------

LENGTHS = [(4, 3, 1), (2, 4, 1), (3, 3, 3)]


def packed(T, lengths, batch_first, as_tensor):
    rnn, log = T.nn.utils.rnn, []
    shape = (3, 5, 2) if batch_first else (5, 3, 2)
    x = T.tensor(np.random.default_rng(1).standard_normal(shape), requires_grad=True)
    given = T.tensor(lengths) if as_tensor else list(lengths)
    packed = rnn.pack_padded_sequence(x, given, batch_first, enforce_sorted=False)
    padded, back = rnn.pad_packed_sequence(packed, batch_first, padding_value=-7.0)
    longer, _ = rnn.pad_packed_sequence(packed, total_length=6)
    (padded.sin().sum() + (longer * 2).sum()).backward()
    log += [
        packed.data,
        packed.batch_sizes,
        packed.sorted_indices,
        packed.unsorted_indices,
        padded,
        back,
        longer,
        x.grad,
    ]
    return [value.detach().numpy() for value in log]


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_packing_and_padding(lengths, batch_first):
    for ours, theirs in zip(
        packed(framework, lengths, batch_first, True), packed(torch, lengths, batch_first, False), strict=True
    ):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=1e-14)


@pytest.mark.parametrize("T", ENGINES)
def test_sorted_lengths_are_enforced(T):
    rnn = T.nn.utils.rnn
    packed = rnn.pack_padded_sequence(T.ones(4, 3), T.tensor([4, 2, 2]))
    assert packed.sorted_indices is None and packed.batch_sizes.tolist() == [3, 3, 1, 1]
    for lengths in ([2, 4, 1], [4, 2], [4, 2, 0]):
        with pytest.raises((RuntimeError, ValueError)):
            rnn.pack_padded_sequence(T.ones(4, 3), T.tensor(lengths))


@pytest.mark.parametrize("options", [{}, dict(batch_first=True, padding_value=2.5), dict(padding_side="left")])
def test_pad_sequence_and_lists(options):
    results = []
    for T in ENGINES:
        rnn = T.nn.utils.rnn
        sequences = [T.tensor(np.random.default_rng(n).standard_normal((n, 2))) for n in (2, 4, 1)]
        padded = rnn.pad_sequence(sequences, **options)
        packed = rnn.pack_sequence(sequences, enforce_sorted=False)
        unpacked = rnn.unpack_sequence(packed)
        unpadded = rnn.unpad_sequence(
            rnn.pad_sequence(sequences, batch_first=True), T.tensor([2, 4, 1]), batch_first=True
        )
        moved = packed.to(T.float32)
        assert isinstance(moved, rnn.PackedSequence) and moved.data.dtype == T.float32 and not packed.is_cuda
        results.append([x.numpy() for x in (padded, packed.data, *unpacked, *unpadded)])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, theirs)


LAYERS = {
    "linear": (lambda T: T.nn.Linear(3, 4), (5, 3)),
    "conv": (lambda T: T.nn.Conv1d(2, 3, 3), (4, 2, 6)),
    "transposed": (lambda T: T.nn.ConvTranspose1d(2, 3, 3), (4, 2, 6)),
}
NORMS = {
    "weight_norm": lambda T, m: T.nn.utils.weight_norm(m),
    "weight_norm dim": lambda T, m: T.nn.utils.weight_norm(m, "weight", 1),
    "weight_norm all": lambda T, m: T.nn.utils.weight_norm(m, dim=None),
    "spectral_norm": lambda T, m: T.nn.utils.spectral_norm(m),
    "spectral_norm iterations": lambda T, m: T.nn.utils.spectral_norm(m, n_power_iterations=3, eps=1e-6),
}


@pytest.mark.filterwarnings("ignore:.*weight_norm")
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("norm", NORMS)
def test_normalised_weights_equal_pytorchs(norm, layer):
    make, shape = LAYERS[layer]
    values = np.random.default_rng(1).standard_normal(shape)
    results, state = [], None
    for T in reversed(ENGINES):
        module = NORMS[norm](T, make(T).double())
        if state is None:
            state = {key: value.numpy().copy() for key, value in module.state_dict().items()}
        assert list(module.state_dict()) == list(state)
        module.load_state_dict({key: T.from_numpy(value.copy()) for key, value in state.items()})
        found = []
        for mode in (True, True, False):
            module.train(mode)
            y = module(T.from_numpy(values))
            module.zero_grad()
            (y * y).sum().backward()
            found += [y.detach().numpy(), *(p.grad.numpy() for _, p in sorted(module.named_parameters()))]
        found += [value.numpy() for _, value in sorted(module.state_dict().items())]
        getattr(T.nn.utils, f"remove_{norm.split()[0]}")(module)
        assert sorted(module.state_dict()) == ["bias", "weight"]
        found += [module.weight.detach().numpy(), module(T.from_numpy(values)).detach().numpy()]
        with pytest.raises(ValueError):
            getattr(T.nn.utils, f"remove_{norm.split()[0]}")(module)
        results.append(found)
    for theirs, ours in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
