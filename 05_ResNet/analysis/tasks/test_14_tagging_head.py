import pytest
import timm
import torch

from dlfs.grading import expect


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_one_is_the_average_and_many_the_maximum(exercise):
    x = torch.rand(2, 3, 4, 5) + 0.1
    average, root = "with p = 1 it is the average over the pixels, dims 2 and 3", "the p-th root comes last"
    expect(exercise.GeM(1.0)(x), x.mean((2, 3)), "GeM(p=1.0)(x (2, 3, 4, 5))", average)
    expect(exercise.GeM(3.0)(torch.tensor([[[[1.0, 3.0]]]])), [[14 ** (1 / 3)]], "GeM(p=3.0)([[[[1, 3]]]])", root)
    expect(exercise.GeM(300.0)(x), x.amax((2, 3)), "GeM(p=300.0)(x (2, 3, 4, 5))", "a large p is the maximum", 0.02)


def test_its_gradient_is_finite_where_a_map_is_zero(exercise):
    x = torch.zeros(1, 2, 3, 3, requires_grad=True)
    pool = exercise.GeM()
    pool(x).sum().backward()
    for name, gradient in (("x", x.grad), ("p", pool.p.grad)):
        assert gradient is not None, f"no gradient reaches {name}: p is learnt, use self.p as it is"
        assert torch.isfinite(gradient).all(), (
            f"the gradient of {name} is {gradient.flatten()[0]} where x is 0: clamp to eps first"
        )


def test_p_is_learnt(exercise):
    x, h = torch.rand(2, 3, 4, 5, dtype=torch.float64) + 0.1, 1e-2
    pool = exercise.GeM(3.0).double()
    pool(x).sum().backward()
    with torch.no_grad():
        above, below = (exercise.GeM(3.0 + step).double()(x).sum() for step in (h, -h))
    called = "the gradient of GeM(p=3.0)(x (2, 3, 4, 5)).sum() with respect to p"
    usually = "p is learnt, and stands in the power and in the root: use the parameter itself in both"
    expect(pool.p.grad, (above - below) / (2 * h), called, usually, tolerance=1e-3)


def test_the_head_is_exchanged_and_the_rest_stays(exercise):
    model = timm.create_model("resnet18", num_classes=7)
    before = {name: value.clone() for name, value in model.state_dict().items() if not name.startswith("fc")}
    got = exercise.tagger(model, 5)
    assert got is model, "tagger changes the model that it is given, and returns it"
    kind = type(model.global_pool).__name__
    assert isinstance(model.global_pool, exercise.GeM), (
        f"global_pool is {kind}: put GeM there after reset_classifier, which makes a new one"
    )
    assert tuple(model.fc.weight.shape) == (5, 512), f"fc.weight is {tuple(model.fc.weight.shape)}, expected (5, 512)"
    assert model.num_classes == 5, (
        f"model.num_classes is {model.num_classes}, expected 5: use reset_classifier, which sets it"
    )
    after = model.state_dict()
    changed = [name for name, value in before.items() if name not in after or not torch.equal(value, after[name])]
    assert not changed, f"{', '.join(changed[:3])} changed: the backbone stays as it is"
    assert set(after) - set(before) == {"fc.weight", "fc.bias", "global_pool.p"}, (
        f"new names: {sorted(set(after) - set(before))}"
    )


def test_it_computes_where_and_as_the_model_does(exercise):
    model = exercise.tagger(timm.create_model("resnet18", dtype=torch.float64), 5)
    dtypes = {name: p.dtype for name, p in model.named_parameters() if p.dtype != torch.float64}
    assert not dtypes, f"in a model of float64, {dtypes}: the pooling's p moves to the model's dtype and device"
    assert model(torch.zeros(1, 3, 64, 64, dtype=torch.float64)).shape == (1, 5)


def test_each_label_is_a_question_of_its_own(exercise):
    logits = torch.tensor([[0.0, 2.0], [-1.0, 0.5]], dtype=torch.float64)
    labels = torch.tensor([[1, 1], [0, 0]])
    p = torch.sigmoid(logits)
    expected = -torch.where(labels == 1, p.log(), (1 - p).log()).mean()
    usually = "a sigmoid for each label, not a softmax over them; the mean over both examples and labels"
    expect(
        exercise.tagging_loss(logits, labels),
        expected,
        f"tagging_loss({logits.tolist()}, {labels.tolist()})",
        usually,
        1e-12,
    )


def test_the_loss_of_logits_that_are_sure(exercise):
    logits = torch.tensor([[200.0, -200.0, 200.0, -200.0]], requires_grad=True)
    loss = exercise.tagging_loss(logits, torch.tensor([[1, 0, 0, 1]]))
    usually = "log σ(-200) by way of σ is log 0: put them together, softplus(z) = log(1 + e^z)"
    expect(loss, 100.0, "tagging_loss([[200, -200, 200, -200]], [[1, 0, 0, 1]])", usually)
    loss.backward()
    expect(logits.grad, [[0.0, 0.0, 0.25, -0.25]], "its gradient", usually)
