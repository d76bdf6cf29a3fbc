import numpy as np
import pytest

from dlfs.grading import expect


def test_the_box(exercise):
    usually = "sides in the proportion √share, so that the AREA has the share; cut off at the border, never shifted"
    for share, centre, expected in (
        (0.25, (4, 6), (2, 6, 3, 9)),
        (1.0, (4, 6), (0, 8, 0, 12)),
        (0.25, (0, 0), (0, 2, 0, 3)),
        (0.25, (7, 11), (5, 8, 8, 12)),
    ):
        expect(exercise.box(share, centre, 8, 12), expected, f"box(share={share}, centre={centre}, H=8, W=12)", usually)


@pytest.mark.parametrize("centre", [(4, 6), (0, 0), (7, 3), (2, 11)], ids=str)
def test_the_label_says_what_is_in_the_image(exercise, centre):
    images = np.arange(3.0)[:, None, None, None] * np.ones((3, 2, 8, 12))  # image b is b everywhere
    labels, partner = np.eye(3), np.array([1, 2, 0])
    mixed, got = exercise.cutmix(images, labels, partner, 0.25, centre)
    expected = [[(row == k).mean() for k in range(3)] for row in mixed]
    usually = (
        "the label's parts are the areas that are really there, box and rest, after the border has cut the box off"
    )
    expect(
        got,
        expected,
        f"the labels of cutmix(images (3, 2, 8, 12), share=.25, centre={centre}), against the shares of pixels",
        usually,
    )


def test_the_image(exercise):
    rng = np.random.default_rng(0)
    images, labels, partner = rng.standard_normal((3, 2, 8, 12)), np.eye(3), np.array([2, 2, 1])
    before = images.copy(), labels.copy()
    mixed, _ = exercise.cutmix(images, labels, partner, 0.25, (1, 1))
    expect(images, before[0], "the images, after cutmix", "mix into a copy: the next epoch starts from them")
    expect(labels, before[1], "the labels, after cutmix", "mix into a copy: the next epoch starts from them")
    expected = images.copy()
    for b in range(3):
        expected[b, :, 0:3, 0:4] = before[0][partner[b], :, 0:3, 0:4]
    usually = "the box is filled with the PARTNER's pixels at the same place, all partners as they were before"
    expect(mixed, expected, "cutmix(images (3, 2, 8, 12), partner [2 2 1], share=.25, centre=(1, 1))", usually)


def test_labels_add_up(exercise):
    labels = np.random.default_rng(1).dirichlet(np.ones(4), 3)
    _, got = exercise.cutmix(np.zeros((3, 1, 6, 6)), labels, np.array([1, 0, 2]), 0.5, (5, 5))
    expect(
        got.sum(axis=1),
        np.ones(3),
        "the sums of the labels of cutmix(…, share=.5, centre=(5, 5))",
        "what one label loses the other gets",
    )
