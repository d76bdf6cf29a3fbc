import pytest
import torch
from transformers import CLIPConfig, CLIPModel

from dlfs.grading import expect


def small(attention="sdpa"):
    torch.manual_seed(0)
    sizes = dict(hidden_size=8, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2)
    text = dict(**sizes, vocab_size=11, max_position_embeddings=6, bos_token_id=9, eos_token_id=10, pad_token_id=0)
    config = CLIPConfig(text_config=text, vision_config=dict(**sizes, image_size=12, patch_size=4), projection_dim=6)
    model = CLIPModel(config).double().eval()
    model.set_attn_implementation(attention)
    with torch.no_grad():
        for p in model.vision_model.parameters():
            p.add_(0.5 * torch.randn_like(p))
    return model


@pytest.fixture
def x():
    torch.manual_seed(1)
    return torch.randn(2, 3, 12, 12, dtype=torch.float64)


def by_hand(model, x, block):
    kept = []
    handle = model.vision_model.encoder.layers[block].layer_norm1.register_forward_hook(lambda m, i, o: kept.append(o))
    with torch.no_grad():
        model.vision_model(x)
        handle.remove()
        attn = model.vision_model.encoder.layers[block].self_attn
        q, k = (p(kept[0]).unflatten(-1, (2, 4)).transpose(1, 2) for p in (attn.q_proj, attn.k_proj))
        weights = torch.softmax(q @ k.transpose(2, 3) / 2, dim=-1)[:, :, 0, 1:]
    return (weights / weights.sum(-1, keepdim=True)).unflatten(-1, (3, 3))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_the_pictures(exercise, x, attention):
    model = small(attention)
    for block in (-1, 0):
        got = exercise.class_attention(model, x, block)
        usually = "row 0 is the class token's, without column 0; divide by the sum over the patches"
        called = f"class_attention(model, x (2, 3, 12, 12), block={block})"
        expect(got, by_hand(model, x, block), called, usually, 1e-6)  # eager takes its softmax in float32


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_the_model_is_left_as_it_was(exercise, x, attention):
    model = small(attention)
    got = exercise.class_attention(model, x)
    for config in (model.config, model.config.vision_config):
        kept = config._attn_implementation
        assert kept == attention, f"the implementation is {kept} afterwards: put {attention} back"
    assert not got.requires_grad, "the pictures carry a graph with them: torch.no_grad()"
