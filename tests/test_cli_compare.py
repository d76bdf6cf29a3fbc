"""The comparison: that it passes what is equal, fails what is not, whatever is wrong, and says where."""

import json
import math
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console

from dlfs.cli import main
from dlfs.compare import BOUND, QUANTITIES, Start, compare_levels, compare_study, loud, relative, starts, step_size
from dlfs.levels import HandLevel, build_level, build_levels, level_names
from dlfs.studies import find_study
from dlfs.terminal import fits, table
from dlfs.trace import compare_traces, forward_name, record
from tests.mutants import mutate

MLP = find_study("02")
BY_HAND = "02_MLP.numpy.mlp_numpy"


# ------------------------------------------------------------------ A model small enough to be wrong in every way


class Line:
    """loss = ½ Σ (x w + b − y)², whose gradients one sees at a glance; `bugs` are planted by name."""

    def __init__(self, *bugs):
        self.bugs, self.params, self.grads, self.training = bugs, {}, {}, True

    def train(self, training):
        self.training = training

    def load_state_dict(self, state):
        self.params = {name: np.array(array) for name, array in state.items()}

    def state_dict(self):
        return dict(self.params)

    def forward(self, x):
        z = x @ self.params["w"] + self.params["b"]
        z = z * 1.001 if "output" in self.bugs else z
        z = z * 1.001 if "eval" in self.bugs and not self.training else z
        z = z + np.where(np.arange(len(z)) == 0, np.nan, 0)[:, None] if "nan" in self.bugs else z
        return (z, z + 1) if "two outputs" in self.bugs else z

    def loss(self, x, y):
        z = x @ self.params["w"] + self.params["b"]
        self.x, self.dz = x, z - y
        loss = 0.5 * (self.dz**2).sum()
        return loss * (1 + 1e-9) if "loss" in self.bugs else loss

    def loss_backward(self):
        self.grads = {"w": self.x.T @ self.dz, "b": self.dz.sum(axis=0)}
        if "gradient" in self.bugs:
            self.grads["b"] = self.dz.mean(axis=0)
        if "missing" in self.bugs:
            del self.grads["b"]
        if "transposed" in self.bugs:
            self.grads["w"] = self.grads["w"].T
        if "silent" in self.bugs:
            self.grads["b"] = np.zeros_like(self.grads["b"])
        dx = self.dz @ self.params["w"].T
        return -dx if "input gradient" in self.bugs else dx

    def train_step(self, x, y, lr):
        loss = self.loss(x, y)
        self.loss_backward()
        for name in self.params:
            step = lr * self.grads.get(name, 0)
            self.params[name] = self.params[name] - (1.001 * step if "step" in self.bugs else step)
        return loss


def start(weights="loud"):
    rng = np.random.default_rng(0)
    state = {"w": rng.standard_normal((4, 3)), "b": rng.standard_normal(3)}
    return Start(weights, state, (rng.standard_normal((5, 4)),), (rng.standard_normal((5, 3)),))


def compare_lines(*bugs, **options):
    levels = {"right": HandLevel(Line()), "wrong": HandLevel(Line(*bugs)), "reference": HandLevel(Line())}
    return compare_levels(levels, start(), **options)


def test_equal_levels_agree_in_every_quantity_of_every_pair():
    comparison = compare_lines()
    assert comparison.ok and len(comparison.pairs) == 3
    assert {(pair.a, pair.b) for pair in comparison.pairs} == {
        ("right", "wrong"), ("right", "reference"), ("wrong", "reference")
    }  # fmt: skip
    for pair in comparison.pairs:
        assert list(pair.differences) == list(QUANTITIES)
        assert all(difference.value == 0 for difference in pair.differences.values())


@pytest.mark.parametrize(
    ("bug", "quantities"),
    [
        ("output", {"output", "output after"}),
        ("eval", {"output after"}),
        ("nan", {"output", "output after"}),
        ("two outputs", {"output", "output after"}),
        ("loss", {"loss", "ten steps"}),
        ("gradient", {"parameter gradient", "ten steps", "output after"}),
        ("missing", {"parameter gradient", "ten steps", "output after"}),
        ("input gradient", {"input gradient"}),
        ("step", {"ten steps", "output after"}),
    ],
)
def test_each_mistake_shows_in_its_quantity_and_in_every_pair_it_is_part_of(bug, quantities):
    comparison = compare_lines(bug)
    assert not comparison.ok
    for pair in comparison.pairs:
        wrong = {quantity for quantity, difference in pair.differences.items() if not difference.ok}
        assert wrong == (quantities if "wrong" in (pair.a, pair.b) else set())
    if bug in ("gradient", "missing"):
        assert comparison.pair("reference", "wrong").differences["parameter gradient"].where == "b"


def test_two_wrong_levels_that_both_agree_with_a_third_within_the_bound_must_agree_with_each_other():
    """Every pair is checked, not only each level against the reference."""
    levels = {name: HandLevel(Line()) for name in ("low", "reference", "high")}
    for name, sign in (("low", -1), ("high", 1)):
        levels[name].model.loss = lambda x, y, sign=sign, loss=Line.loss, model=levels[name].model: (
            loss(model, x, y) * (1 + sign * 0.7e-10)
        )
    comparison = compare_levels(levels, start())
    assert comparison.pair("low", "reference").ok and comparison.pair("reference", "high").ok
    assert not comparison.pair("low", "high").ok and not comparison.ok


def test_a_gradient_that_is_zero_everywhere_compares_nothing_and_fails_unless_it_is_known_to_be_zero():
    levels = {name: HandLevel(Line("silent")) for name in "ab"}
    comparison = compare_levels(levels, start("loud"))
    assert comparison.silent == ["b"] and not comparison.ok
    assert compare_levels(levels, start("loud"), zero_gradients=["b"]).ok
    assert compare_levels(levels, start("initial")).ok  # at the start a head of zeros may silence what is below it


def test_a_gradient_said_to_be_zero_must_be():
    comparison = compare_lines(zero_gradients=["b"])
    assert comparison.noisy == ["b"] and not comparison.ok


def test_a_name_said_to_be_zero_that_this_variant_lacks_is_passed_over():
    levels = {name: HandLevel(Line("silent")) for name in "ab"}
    assert compare_levels(levels, start("loud"), zero_gradients=["b", "k_proj.bias"]).ok


# ----------------------------------------------------------------------------------------------- The measure


@pytest.mark.parametrize(
    ("a", "b", "floor", "expected"),
    [
        ([1.0, -4.0], [1.0, -4.0 + 4e-9], 0, 1e-9),  # relative to the tensor's largest, not to each element
        ([1e-9, 4.0], [2e-9, 4.0], 0, 0.25e-9),
        ([1e-9], [2e-9], 1.0, 1e-9),  # a gradient that is small beside the model's largest
        ([0.0], [0.0], 0, 0),
        ([0.0], [1e-300], 0, 1),
        ([1.0], [math.nan], 0, math.inf),
        ([math.nan], [math.nan], 0, math.inf),
        ([math.inf], [math.inf], 0, math.inf),
        ([1.0], [1.0, 1.0], 0, math.inf),  # what would broadcast
        ([1.0], None, 0, math.inf),
        (None, None, 0, math.inf),
        ([], [], 0, 0),
    ],
)
def test_relative(a, b, floor, expected):
    a, b = (None if values is None else np.array(values) for values in (a, b))
    assert relative(a, b, floor) == pytest.approx(expected, rel=1e-6)


def test_loud_weights_are_loud():
    rng = np.random.default_rng(0)
    state = {
        "fc.weight": rng.standard_normal((3, 4)),
        "fc.bias": np.zeros(50),
        "norm.weight": np.ones(50),
        "head.weight": np.zeros((30, 40)),
        "norm.running_mean": np.zeros(50),
        "norm.running_var": np.ones(50),
        "norm.num_batches_tracked": np.array(0),
        "mask": np.ones((2, 2)),
    }
    parameters = ["fc.weight", "fc.bias", "norm.weight", "head.weight"]
    result = loud(state, parameters, np.random.default_rng(1))
    np.testing.assert_array_equal(result["fc.weight"], 5 * state["fc.weight"])
    for name in ("fc.bias", "norm.weight", "norm.running_mean", "norm.running_var", "head.weight"):
        assert result[name].shape == state[name].shape
        assert np.abs(result[name] - state[name]).min() > 0 and np.abs(result[name] - state[name]).mean() > 0.05
    assert result["norm.running_var"].min() > 0
    for name in ("norm.num_batches_tracked", "mask"):
        np.testing.assert_array_equal(result[name], state[name])
    quieter = loud(state, parameters, np.random.default_rng(1), factor=2)
    np.testing.assert_array_equal(quieter["fc.weight"], 2 * state["fc.weight"])
    np.testing.assert_array_equal(quieter["fc.bias"], result["fc.bias"])


def test_a_study_may_say_how_loud_its_weights_may_be():
    study = find_study("07")
    config = study.config("paper")
    quiet, louder = starts(study, config)
    name = "encoder.0.linear1.weight"
    np.testing.assert_array_equal(louder.state[name], study.fact("LOUD") * quiet.state[name])


# ---------------------------------------------------------------------------------------------------- The MLP


def run(capsys, monkeypatch, *arguments):
    monkeypatch.setenv("COLUMNS", "140")
    with pytest.raises(SystemExit) as exit_:
        main(["compare", *arguments])
    out, err = capsys.readouterr()
    return exit_.value.code, out, err


@pytest.mark.parametrize("name", ["02", "mlp", "02_MLP"])
def test_the_command_shows_every_level_and_a_verdict(capsys, monkeypatch, name):
    status, out, _ = run(capsys, monkeypatch, name, "--variant", "mlp-tanh")
    assert status == 0
    for title in ("L1 by hand", "L1 engine (L3 file)", "L1 engine (L2 file)", "L2 low level", "L3 paper"):
        assert out.count(title) >= 2
    assert "initial weights: all 10 pairs agree" in out and "loud weights: all 10 pairs agree" in out
    assert all(quantity.split()[0] in out for quantity in QUANTITIES)


def test_json_holds_every_pair_of_every_variant(capsys, monkeypatch):
    status, out, _ = run(capsys, monkeypatch, "02", "--json")
    document = json.loads(out)
    assert status == 0 and document["ok"] and document["bound"] == BOUND
    assert [variant["variant"] for variant in document["variants"]] == list(MLP.fact("VARIANTS"))
    for variant in document["variants"]:
        assert [comparison["weights"] for comparison in variant["comparisons"]] == ["initial", "loud"]
        for comparison in variant["comparisons"]:
            pairs = {tuple(pair["levels"]) for pair in comparison["pairs"]}
            assert len(pairs) == 10 and {name for pair in pairs for name in pair} == set(level_names(MLP))
            for pair in comparison["pairs"]:
                assert list(pair["differences"]) == list(QUANTITIES)
                assert all(0 <= difference["value"] <= BOUND for difference in pair["differences"].values())


def test_a_picture_holds_what_is_shown_and_fetches_nothing(capsys, monkeypatch, tmp_path):
    picture = tmp_path / "new" / "table.svg"
    status, out, _ = run(capsys, monkeypatch, "02", "--variant", "mlp-tanh", "--svg", str(picture))
    assert status == 0
    root = ElementTree.fromstring(picture.read_text(encoding="utf-8"))
    shown = " ".join("".join(root.itertext()).replace("\xa0", " ").split())
    assert "dlfs compare 02 --variant mlp-tanh" in shown
    for line in filter(None, (" ".join(line.split()) for line in out.splitlines())):
        assert line.strip("─") == "" or all(word in shown for word in line.split())
    assert "url(http" not in picture.read_text(encoding="utf-8")
    assert run(capsys, monkeypatch, "02", "--json", "--svg", "x.svg")[0] == 2


def plant(monkeypatch, old, new):
    """Let every command build the level by hand from a copy of its module with this text replaced."""
    broken = mutate(BY_HAND, old, new)

    def build(study, level, config, **options):
        return build_level(study, level, config, module=broken if level == "by-hand" else None, **options)

    monkeypatch.setattr("dlfs.levels.build_level", build)
    monkeypatch.setattr("dlfs.commands.compare.build_level", build)


def test_a_planted_bug_gives_status_1_and_a_line_that_names_it(capsys, monkeypatch):
    plant(monkeypatch, "dz.sum(axis=0)", "dz.mean(axis=0)")
    status, out, _ = run(capsys, monkeypatch, "02", "--variant", "mlp-tanh")
    said = " ".join(out.split())
    assert status == 1
    assert "✗ loud weights: 4 of 10 pairs differ, " in said
    assert "L1 by hand and L3 paper in the parameter gradient of fc1.bias." in said
    assert "See where: dlfs compare 02 --variant mlp-tanh --trace" in said


@pytest.mark.parametrize(
    ("old", "new", "parting"),
    [
        ("np.tanh(z)  # eq. 5", "np.tanh(1.001 * z)", "MLP.forward: h (2), shape (13, 32)"),
        ("(probs - one_hot) / B", "one_hot * (probs - one_hot) / B", "MLP.loss: dlogits, shape (13, 10)"),
        ("dh * (1 - h * h)", "dh * (1 - h)", "MLP.forward: dz, shape (13, 32)"),
        ('dh = dlogits @ p[f"fc{N}.weight"]', 'dh = 2 * dlogits @ p[f"fc{N}.weight"]', "MLP.forward: dh (2), shape (13, 32)"),
    ],
    ids=["activation", "softmax", "slope", "product"],
)  # fmt: skip
def test_the_trace_names_where_two_levels_first_part(capsys, monkeypatch, old, new, parting):
    plant(monkeypatch, old, new)
    status, out, _ = run(capsys, monkeypatch, "02", "--variant", "mlp-tanh", "--trace", "--pair", "by-hand", "paper")
    assert status == 1
    assert f"They first part at {parting}." in out
    assert out.count("here they part") == 1


def test_the_trace_of_levels_that_agree_says_so(capsys, monkeypatch):
    status, out, _ = run(capsys, monkeypatch, "02", "--variant", "mlp-deep-gelu", "--trace")
    assert status == 0 and "They nowhere part" in out
    for name in (
        "MLP.forward: z (3)",
        "MLP.forward: h (4)",
        "MLP.forward: logits",
        "MLP.forward: dz (3)",
        "MLP.forward: dh",
    ):
        assert name in out


def test_a_level_that_does_not_exist_cannot_be_traced(capsys, monkeypatch):
    status, _, err = run(capsys, monkeypatch, "02", "--variant", "mlp-tanh", "--trace", "--pair", "by-hand", "papr")
    assert status == 2 and "02_MLP has no level to trace 'papr'. Did you mean paper?" in err


def test_compare_takes_a_mutated_level():
    """What the models' own tests do."""
    config = MLP.config("mlp-tanh")
    levels = build_levels(MLP, config)
    assert all(comparison.ok for comparison in compare_study(MLP, "mlp-tanh", levels))
    levels["by-hand"] = build_level(MLP, "by-hand", config, module=mutate(BY_HAND, "1 - h * h", "1 - h"))
    for comparison in compare_study(MLP, "mlp-tanh", levels):
        bad = {frozenset((pair.a, pair.b)) for pair in comparison.pairs if not pair.ok}
        assert bad == {frozenset(("by-hand", other)) for other in levels if other != "by-hand"}


# ---------------------------------------------------------------------------------------------------- The trace


def test_all_levels_name_the_same_activations_and_gradients():
    config = MLP.config("mlp-deep-gelu")
    loud_start = starts(MLP, config)[1]
    for name, level in build_levels(MLP, config).items():
        level.load_state(loud_start.state)
        recording = record(level, loud_start.inputs, loud_start.targets)
        for activation in [("z", 0), ("z", 2), ("h", 3), ("logits", 0)]:
            assert ("MLP.forward", *activation) in recording.activations, name
            assert ("MLP.forward", *activation) in recording.gradients, name


def test_a_name_that_one_level_lacks_is_left_out():
    config = MLP.config("mlp-tanh")
    loud_start = starts(MLP, config)[1]
    first, second = (build_level(MLP, name, config, dtype="float64") for name in ("by-hand", "paper"))
    for level in (first, second):
        level.load_state(loud_start.state)
    names = {step.key[1] for step in compare_traces(first, second, loud_start.inputs, loud_start.targets)}
    assert "logits" in names and "log_probs" not in names  # L3 calls F.cross_entropy


@pytest.mark.parametrize(
    ("backward", "forward"),
    [("MLP.backward", "MLP.forward"), ("MLP.loss_backward", "MLP.loss"), ("conv2d_backward", "conv2d"), ("f", "f")],
)
def test_forward_name(backward, forward):
    assert forward_name(backward) == forward


# -------------------------------------------------------------------------------------------- A production twin


def test_a_twin_is_compared_through_its_keymap(monkeypatch):
    """A twin whose names differ and whose weights are stored transposed, as GPT-2's are."""
    import torch

    class Twin(torch.nn.Module):
        def __init__(self, config):
            super().__init__()
            self.kernel = torch.nn.Parameter(torch.empty(config.in_features, config.num_classes))
            self.offset = torch.nn.Parameter(torch.empty(config.num_classes))

        def forward(self, x):
            return x @ self.kernel + self.offset

        def loss(self, x, targets):
            return torch.nn.functional.cross_entropy(self(x), targets)

    keymap = SimpleNamespace(
        build_twin=Twin,
        to_twin=lambda state: {"kernel": state["fc1.weight"].T, "offset": state["fc1.bias"]},
        from_twin=lambda state: {"fc1.weight": state["kernel"].T, "fc1.bias": state["offset"]},
    )
    study = find_study("02")
    monkeypatch.setattr(study.facts, "TWIN", "build_twin")
    module = study.module
    monkeypatch.setattr(study, "module", lambda path: keymap if path == "keymap.py" else module(path))
    monkeypatch.setitem(study.facts.VARIANTS, "softmax", study.facts.MLPConfig(9, (), 4))
    comparisons = compare_study(study, "softmax")
    assert "twin" in comparisons[0].titles and len(comparisons[0].pairs) == 15
    assert all(comparison.ok for comparison in comparisons)
    keymap.from_twin = lambda state: {"fc1.weight": 2 * state["kernel"].T, "fc1.bias": state["offset"]}
    assert not any(comparison.ok for comparison in compare_study(study, "softmax"))


def test_the_step_size_is_a_hundredth_of_the_weights_and_moves_weights_of_zero_too():
    gradients = {"w": np.array([3.0, 4.0])}
    assert step_size({"w": np.array([0.0, 10.0])}, gradients) == pytest.approx(0.01 * 10 / 5)
    assert step_size({"w": np.zeros(2)}, gradients) == step_size({"w": np.ones(2)}, {"w": np.zeros(2)}) == 0.01


def test_a_table_fits_a_console_as_wide_as_its_longest_line():
    shown = table("level", "loss")
    shown.add_row("L3 paper", "1.25")
    wide = Console(width=100)
    with wide.capture() as capture:
        wide.print(shown)
    width = max(map(len, capture.get().splitlines()))
    assert fits(shown, Console(width=width)) and not fits(shown, Console(width=width - 1))
