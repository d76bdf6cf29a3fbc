import pytest
import torch
from transformers import CLIPConfig, CLIPModel

from dlfs.grading import expect


@pytest.fixture
def model():
    torch.manual_seed(0)
    sizes = dict(hidden_size=8, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2)
    text = dict(**sizes, vocab_size=11, max_position_embeddings=6, bos_token_id=9, eos_token_id=10, pad_token_id=0)
    config = CLIPConfig(text_config=text, vision_config=dict(**sizes, image_size=12, patch_size=4), projection_dim=6)
    model = CLIPModel(config).double().eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return model


@pytest.fixture
def x():
    torch.manual_seed(1)
    return torch.randn(2, 3, 12, 12, dtype=torch.float64)


def unit(v):
    return v / (v**2).sum(-1, keepdim=True) ** 0.5


def by_hand(model, x):
    kept = []
    handle = model.vision_model.encoder.layers[-1].register_forward_hook(lambda m, i, o: kept.append(o))
    model.vision_model(x)
    handle.remove()
    h = kept[0][0] if isinstance(kept[0], tuple) else kept[0]
    return unit(model.visual_projection(model.vision_model.post_layernorm(h[:, 1:])))


def test_each_patch(exercise, model, x):
    patches, _ = exercise.patch_features(model, x)
    usually = "without token 0; post_layernorm, visual_projection, then length 1, in this order"
    expect(patches, by_hand(model, x), "patch_features(model, x (2, 3, 12, 12))[0]", usually, 1e-9)


def test_the_mean_direction(exercise, model, x):
    _, image = exercise.patch_features(model, x)
    usually = "the mean of the unit vectors over the patches, dim 1, made 1 long again"
    expect(image, unit(by_hand(model, x).mean(1)), "patch_features(model, x (2, 3, 12, 12))[1]", usually, 1e-9)


def test_a_mask(exercise, model, x):
    mask = torch.tensor([[1, 0, 0, 0, 1, 0, 0, 0, 0], [0, 1, 1, 1, 0, 0, 0, 0, 3]])
    _, image = exercise.patch_features(model, x, mask)
    expected = unit((mask[..., None] * by_hand(model, x)).sum(1))
    expect(image, expected, "patch_features(model, x, mask)[1]", "the mask weights the patches' unit vectors", 1e-9)


def test_it_can_be_trained(exercise, model, x):
    patches, image = exercise.patch_features(model, x)
    assert image.requires_grad, "no gradient reaches the tower: leave the graph in place"
