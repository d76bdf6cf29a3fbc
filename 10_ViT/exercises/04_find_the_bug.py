"""CutMix (Yun et al. 2019): a box of one image in another, and both labels by their areas."""

import numpy as np


def box(share, centre, H, W):
    """top, bottom, left, right of a box of about this share of the image around a pixel, cut off at the border."""
    height, width = round(H * np.sqrt(share)), round(W * np.sqrt(share))
    top, left = centre[0] - height // 2, centre[1] - width // 2
    return max(top, 0), min(top + height, H), max(left, 0), min(left + width, W)


def cutmix(images, labels, partner, share, centre):  # (B, C, H, W), (B, K), (B,)
    """Images (B, C, H, W), each with a box of its partner in it, and labels (B, K) in proportion to what is to be seen."""
    H, W = images.shape[2:]
    top, bottom, left, right = box(share, centre, H, W)
    mixed = images.copy()
    mixed[:, :, top:bottom, left:right] = images[partner][:, :, top:bottom, left:right]
    area = (bottom - top) * (right - left) / (H * W)
    return mixed, (1 - area) * labels + area * labels[partner]
