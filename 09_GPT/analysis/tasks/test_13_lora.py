import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.pytorch_utils import Conv1D

from dlfs.grading import expect

X = torch.tensor([[1, 5, 3, 5, 2], [4, 4, 0, 1, 6]])


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def small():
    sizes = dict(vocab_size=13, n_positions=8, n_embd=12, n_layer=2, n_head=3, bos_token_id=None, eos_token_id=None)
    return GPT2LMHeadModel(GPT2Config(**sizes)).double().eval()


def trained(model, steps=3):
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.05, weight_decay=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        model(X, labels=X).loss.backward()
        optimizer.step()
    return model


def logits(model):
    with torch.no_grad():
        return model(X).logits


def test_the_layer(exercise):
    layer = exercise.LoRA(Conv1D(7, 5).double(), rank=2, alpha=6.0)
    x = torch.randn(3, 4, 5, dtype=torch.float64)
    with torch.no_grad():
        layer.B.normal_()
        expected = x @ layer.base.weight + layer.base.bias + 6.0 / 2 * (x @ (layer.A @ layer.B))
        got = layer(x)
    expect(
        got,
        expected,
        "LoRA(Conv1D(7, 5), rank=2, alpha=6)(x (3, 4, 5))",
        "base(x) plus alpha / rank times x A B; bias once",
    )


def test_it_starts_as_the_model_that_it_adapts(exercise):
    model = small()
    before = logits(model)
    got = exercise.add_lora(model, ("c_attn",), rank=2, alpha=4.0)
    assert got is model, "add_lora changes the model that it is given, and returns it"
    expect(
        logits(got),
        before,
        "add_lora(model, ('c_attn',), rank=2, alpha=4)(x)",
        "B starts at 0, so nothing has changed yet",
    )


def test_the_layers_that_are_named_are_adapted(exercise):
    model = exercise.add_lora(small(), ("attn.c_attn", "mlp.c_proj"), rank=2, alpha=4.0)
    got = [name for name, module in model.named_modules() if isinstance(module, exercise.LoRA)]
    expected = [f"transformer.h.{i}.{layer}" for i in range(2) for layer in ("attn.c_attn", "mlp.c_proj")]
    assert got == expected, (
        f"adapted are {got}, expected {expected}: each Conv1D, not nn.Linear, whose full name ends so"
    )


def test_only_the_adapters_are_trained(exercise):
    model = exercise.add_lora(small(), ("c_attn",), rank=2, alpha=4.0)
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert count == 2 * 2 * (12 + 36), (
        f"{count} numbers can be trained, expected 2 blocks × 2 × (12 + 36) = 192: freeze the rest"
    )
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first = logits(trained(model))
    changed = {
        name.rpartition(".")[2] for name, value in model.state_dict().items() if not torch.equal(value, before[name])
    }
    assert changed == {"A", "B"}, (
        f"training moved {sorted(changed)}, expected A and B: with either alone, or both at 0, it cannot"
    )
    expect(first, logits(model), "model(x), twice", "the adapters are parameters of the model")


def test_what_there_is_to_save(exercise):
    model = trained(exercise.add_lora(small(), ("c_attn",), rank=2, alpha=4.0))
    state = exercise.adapter_state(model)
    expected = [f"transformer.h.{i}.attn.c_attn.{which}" for i in range(2) for which in "AB"]
    assert sorted(state) == expected, (
        f"adapter_state has {sorted(state)}, expected {expected}: A and B alone, by their names in the model"
    )
    torch.manual_seed(0)
    other = exercise.add_lora(small(), ("c_attn",), rank=2, alpha=4.0)  # the same base
    other.load_state_dict(state, strict=False)
    expect(
        logits(other),
        logits(model),
        "the base with the adapter's state loaded",
        "A and B are all that training changed",
    )


def test_merged_it_is_the_same_function_and_an_ordinary_gpt2(exercise):
    plain = small()
    model = trained(exercise.add_lora(small(), ("c_attn", "c_proj"), rank=2, alpha=4.0))
    adapted = logits(model)
    got = exercise.merge(model)
    names, wanted = list(got.state_dict()), list(plain.state_dict())
    assert names == wanted, (
        f"merged, the state dict has {sorted(set(names) ^ set(wanted))[:4]} too much or too little: put the Conv1D back"
    )
    usually = "weight += scale A B, in Conv1D's orientation (in, out): nothing transposed, scale not forgotten"
    expect(logits(got), adapted, "merge(model)(x)", usually, 1e-12)
    plain.load_state_dict(got.state_dict())
    expect(logits(plain), adapted, "its state dict in a fresh GPT2LMHeadModel", "the change is in the weight", 1e-12)
    frozen = [name for name, p in got.named_parameters() if not p.requires_grad]
    assert not frozen, f"after merge {frozen[0]} is still frozen: an ordinary model can be trained"
