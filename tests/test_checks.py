"""What the image models refuse: utils.checks, at the very edge of what is allowed."""

import numpy as np
import pytest

from utils.checks import check_classes, check_images

IMAGES = np.zeros((2, 3, 8, 8), np.float32)


def test_the_first_and_the_last_class_pass_and_the_next_do_not():
    check_classes("Net", np.array([0, 9]), 2, 10)
    for targets in ([0, 10], [-1, 9]):
        with pytest.raises(ValueError, match=rf"Net.loss: expected targets in 0..9, got {targets[0]}..{targets[1]}"):
            check_classes("Net", np.array(targets), 2, 10)


@pytest.mark.parametrize(
    ("targets", "error", "message"),
    [
        (np.zeros(3, np.int64), ValueError, r"expected targets \(2,\), a class for each image, got \(3,\)"),
        (np.zeros(2, np.int32), TypeError, "expected targets of int64, got int32"),
    ],
)
def test_targets_of_another_kind(targets, error, message):
    with pytest.raises(error, match=message):
        check_classes("Net", targets, 2, 10)


def test_an_empty_batch_has_no_mean():
    with pytest.raises(ValueError, match="empty batch"):
        check_classes("Net", np.zeros(0, np.int64), 0, 10)


def test_images_of_another_kind():
    check_images("Net", IMAGES, (3, 8, 8))
    with pytest.raises(ValueError, match=r"Net.forward: expected \(B, 3, 9, 9\), got \(2, 3, 8, 8\), 9 by 9"):
        check_images("Net", IMAGES, (3, 9, 9), ", 9 by 9")
    with pytest.raises(TypeError, match="expected floating-point x, got uint8"):
        check_images("Net", IMAGES.astype(np.uint8), (3, 8, 8))
