import pytest
import torch
from transformers import CLIPConfig, CLIPModel

from dlfs.grading import expect


def small(seed=0):
    torch.manual_seed(seed)
    sizes = dict(hidden_size=8, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
    text = dict(**sizes, vocab_size=11, max_position_embeddings=6, bos_token_id=9, eos_token_id=10, pad_token_id=0)
    config = CLIPConfig(text_config=text, vision_config=dict(**sizes, image_size=8, patch_size=4), projection_dim=6)
    model = CLIPModel(config).double().eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return model


PROMPTS = torch.tensor([[[9, 1, 10, 0], [9, 2, 1, 10]], [[9, 3, 10, 0], [9, 2, 3, 10]], [[9, 4, 10, 0], [9, 2, 4, 10]]])


def unit(v):
    return v / (v**2).sum(-1, keepdim=True) ** 0.5


def ensemble(model):
    with torch.no_grad():
        texts = [unit(model.get_text_features(rows).pooler_output).mean(0) for rows in PROMPTS]
        return model.logit_scale.exp() * unit(torch.stack(texts))


def test_the_rows_are_ensembles(exercise):
    model = small()
    head = exercise.text_head(model, PROMPTS)
    usually = "unit vectors, their mean over the prompts, 1 long again, times exp(logit_scale)"
    expect(head.weight, ensemble(model), "text_head(model, prompts (3, 2, 4)).weight", usually, 1e-9)
    assert head.bias is None, "the head has a bias: zero-shot has none"


def test_one_prompt_a_class_gives_the_logits_of_the_model(exercise):
    model = small()
    torch.manual_seed(1)
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    with torch.no_grad():
        expected = model(PROMPTS[:, 0], x).logits_per_image
        got = exercise.text_head(model, PROMPTS[:, :1])(unit(model.get_image_features(x).pooler_output))
    expect(got, expected, "text_head(model, prompts (3, 1, 4))(unit vectors of images)", "times exp(logit_scale)", 1e-9)


def test_the_head_can_be_trained_and_the_texts_are_left_alone(exercise):
    model = small()
    head = exercise.text_head(model, PROMPTS)
    assert isinstance(head.weight, torch.nn.Parameter) and head.weight.requires_grad, "head.weight is to be trained"
    head(torch.ones(1, 6, dtype=torch.float64)).sum().backward()
    reached = [name for name, p in model.named_parameters() if p.grad is not None]
    assert not reached, f"the gradient runs on into {reached[0]}: a head is a copy, torch.no_grad()"


@pytest.mark.parametrize("alpha", [0.0, 0.25, 1.0])
def test_between_two_models(exercise, alpha):
    a, b = small(0), small(1)
    before = [{name: value.clone() for name, value in model.state_dict().items()} for model in (a, b)]
    got = exercise.interpolated(a, b, alpha)
    for name, value in got.state_dict().items():
        expected = (1 - alpha) * before[0][name] + alpha * before[1][name]
        expect(
            value,
            expected,
            f"interpolated(a, b, {alpha}): {name}",
            "(1 - alpha) of a and alpha of b, every parameter",
            1e-9,
        )
    for model, old in zip((a, b), before):
        changed = [name for name, value in model.state_dict().items() if not torch.equal(value, old[name])]
        assert not changed, f"{changed[0]} of a model that was given has changed: copy it first"
