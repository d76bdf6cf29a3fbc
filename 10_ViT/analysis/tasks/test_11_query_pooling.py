import timm
import torch

from dlfs.grading import expect

SMALL = dict(img_size=32, patch_size=8, embed_dim=16, depth=1, num_heads=2, num_classes=5)


def vit(**options):
    torch.manual_seed(0)
    return timm.models.VisionTransformer(**SMALL, **options).eval()


def test_it_starts_as_the_mean(exercise):
    x = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    expect(
        exercise.QueryPool(4)(x),
        x.mean(dim=1),
        "QueryPool(4)(x (2, 6, 4))",
        "with a query of 0 it is the mean over the tokens, dim 1",
    )


def test_it_takes_the_token_that_fits(exercise):
    x = torch.eye(4)[None] * 2
    pool = exercise.QueryPool(4)
    pool.query.data = torch.tensor([0.0, 0.0, 3.0, 0.0])
    e = torch.exp(torch.tensor(3.0))  # 2 · 3 / √4
    expected = 2 * torch.tensor([[1.0, 1.0, e, 1.0]]) / (3 + e)
    expect(
        pool(x),
        expected,
        "QueryPool(4) with the query (0, 0, 3, 0), of twice the unit vectors",
        "scores are divided by √D, then softmax over the tokens",
    )


def test_the_model_reads_the_patches(exercise):
    model, x = vit(), torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    tokens = model.forward_features(x)
    got = exercise.pool_by_query(model)
    assert got is model, "pool_by_query changes the model that it is given, and returns it"
    expect(
        model(x),
        model.head(tokens[:, 1:].mean(dim=1)),
        "the logits, while the query is 0",
        "attn_pool is the door: pool hands it the patches, without the class token",
    )


def test_the_query_is_learnt_and_has_the_model_s_dtype(exercise):
    model = exercise.pool_by_query(vit().double())
    names = [name for name, _ in model.named_parameters() if name.endswith("query")]
    assert names == ["attn_pool.query"], f"the parameters that end in query are {names}: put the module at attn_pool"
    assert model.attn_pool.query.dtype == torch.float64, (
        "in a model of float64 the query is float32: it takes the model's dtype"
    )
    model(torch.randn(2, 3, 32, 32, dtype=torch.float64)).square().sum().backward()
    assert model.attn_pool.query.grad is not None and model.attn_pool.query.grad.any(), "no gradient reaches the query"
