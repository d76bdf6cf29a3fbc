"""Random numbers: one seed fixes everything, a Generator is a stream of its own, and the distributions are what they are called."""

import json

import numpy as np
import pytest
import scipy.stats
import torch

import framework

COUNT = 20_000


def draws():
    """Every function that draws, as a call with a generator."""
    f, p = framework, framework.full((3, 4), 0.5)
    return {
        "rand": lambda **g: f.rand(3, **g), "randn": lambda **g: f.randn(3, **g), "randint": lambda **g: f.randint(0, 9, (5,), **g),
        "randperm": lambda **g: f.randperm(9, **g), "normal": lambda **g: f.normal(0.0, 1.0, (3,), **g), "bernoulli": lambda **g: f.bernoulli(p, **g),
        "multinomial": lambda **g: f.multinomial(p, 3, **g), "normal_": lambda **g: f.empty(3).normal_(**g), "uniform_": lambda **g: f.empty(3).uniform_(**g),
        "bernoulli_": lambda **g: f.empty(9).bernoulli_(**g), "rand_like": lambda **g: f.rand_like(p, **g), "randn_like": lambda **g: f.randn_like(p, **g),
        "randint_like": lambda **g: f.randint_like(p, 9, **g),
    }  # fmt: skip


@pytest.mark.parametrize("name", draws())
def test_one_seed_fixes_the_numbers(name):
    draw = draws()[name]
    framework.manual_seed(3)
    first = draw().array
    then = draw().array
    framework.manual_seed(3)
    np.testing.assert_array_equal(draw().array, first)
    np.testing.assert_array_equal(draw().array, then)
    assert not np.array_equal(first, then)


@pytest.mark.parametrize("name", draws())
def test_a_generator_is_a_stream_of_its_own(name):
    draw = draws()[name]
    a, b = framework.Generator().manual_seed(5), framework.Generator(device="cpu").manual_seed(5)
    state = framework.default_generator.get_state()
    np.testing.assert_array_equal(draw(generator=a).array, draw(generator=b).array)
    assert framework.default_generator.get_state() == state


def test_a_generators_state_can_be_saved_and_restored():
    generator = framework.Generator().manual_seed(1)
    generator.numpy.random(7)
    state = json.loads(json.dumps(generator.get_state()))
    first = framework.randn(4, generator=generator)
    other = framework.Generator().set_state(state)
    np.testing.assert_array_equal(framework.randn(4, generator=other).array, first.array)
    assert other.initial_seed() == 1
    assert generator.seed() == generator.initial_seed()
    assert framework.manual_seed(4) is framework.default_generator


def kolmogorov(values, distribution, *parameters):
    """Whether the values may come from the distribution (at one in a million)."""
    return scipy.stats.kstest(values.array.ravel().astype(np.float64), distribution, parameters).pvalue > 1e-6


@pytest.mark.parametrize("dtype", [framework.float32, framework.float64])
def test_distributions(dtype):
    framework.manual_seed(0)
    assert kolmogorov(framework.rand(COUNT, dtype=dtype), "uniform")
    assert kolmogorov(framework.randn(COUNT, dtype=dtype), "norm")
    assert kolmogorov(framework.normal(2.0, 3.0, (COUNT,), dtype=dtype), "norm", 2, 3)
    assert kolmogorov(framework.empty(COUNT, dtype=dtype).normal_(-1, 0.5), "norm", -1, 0.5)
    assert kolmogorov(framework.empty(COUNT, dtype=dtype).uniform_(-2, 5), "uniform", -2, 7)
    mean, std = framework.full((COUNT,), 4.0, dtype=dtype), framework.full((COUNT,), 2.0, dtype=dtype)
    assert kolmogorov((framework.normal(mean, std) - 4) / 2, "norm")
    assert framework.rand(COUNT, dtype=dtype).max() < 1
    for p in (0.1, 0.5, 0.9):
        ones = framework.bernoulli(framework.full((COUNT,), p, dtype=dtype)).sum().item()
        assert scipy.stats.binomtest(int(ones), COUNT, p).pvalue > 1e-6


def test_integers_are_even_over_their_range():
    framework.manual_seed(0)
    counts = np.bincount(framework.randint(2, 7, (COUNT,)).array, minlength=7)
    assert counts[:2].sum() == 0 and scipy.stats.chisquare(counts[2:]).pvalue > 1e-6
    order = framework.randperm(100).array
    assert sorted(order) == list(range(100))
    firsts = [framework.randperm(5).array[0] for _ in range(2000)]
    assert scipy.stats.chisquare(np.bincount(firsts, minlength=5)).pvalue > 1e-6


@pytest.mark.parametrize("replacement", [True, False])
def test_multinomial_draws_in_proportion_to_the_weights(replacement):
    framework.manual_seed(0)
    weights = np.array([1.0, 4.0, 0.0, 3.0])
    first = framework.multinomial(framework.tensor(np.tile(weights, (COUNT, 1))), 2, replacement).array
    for column in (0, 1) if replacement else (0,):
        counts = np.bincount(first[:, column], minlength=4)
        assert counts[2] == 0 and scipy.stats.chisquare(counts[[0, 1, 3]], COUNT * weights[[0, 1, 3]] / 8).pvalue > 1e-6
    if not replacement:
        assert (first[:, 0] != first[:, 1]).all()
        second = np.bincount(first[first[:, 0] == 1][:, 1], minlength=4)  # after 1: weights 1 and 3 remain
        assert scipy.stats.chisquare(second[[0, 3]], second.sum() * np.array([1, 3]) / 4).pvalue > 1e-6


def test_a_last_category_of_weight_zero_is_never_drawn():
    weights = framework.tensor([[0.5, 0.5, 0.0]])
    drawn = framework.multinomial(weights.expand(1000, 3), 5, replacement=True)
    assert drawn.max().item() < 2


def test_bernoulli_takes_one_probability_for_all():
    framework.manual_seed(0)
    x = framework.zeros(COUNT)
    assert abs(framework.bernoulli(x, 0.25).mean().item() - 0.25) < 0.02
    assert x.bernoulli(1.0).sum() == COUNT
    assert torch.zeros(4).bernoulli(1.0).sum() == 4
