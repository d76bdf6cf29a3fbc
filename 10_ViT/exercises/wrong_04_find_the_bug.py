from dlfs.exercises import Wrong

AREA = "area = (bottom - top) * (right - left) / (H * W)"

WRONG = [
    Wrong("the label has the share that was drawn", AREA, "area = share", "really there"),
    Wrong(
        "the parts exchanged",
        "(1 - area) * labels + area * labels[partner]",
        "area * labels + (1 - area) * labels[partner]",
        "box and rest",
    ),
    Wrong("the labels are not mixed", "(1 - area) * labels + area * labels[partner]", "labels", "box and rest"),
    Wrong("one of them is not scaled", "(1 - area) * labels + area", "labels + area", "loses the other gets"),
    Wrong(
        "the box is moved inside",
        "top, left = centre[0] - height // 2, centre[1] - width // 2",
        "top = min(max(centre[0] - height // 2, 0), H - height)\n    left = min(max(centre[1] - width // 2, 0), W - width)",
        "never shifted",
    ),
    Wrong(
        "not cut off",
        "return max(top, 0), min(top + height, H), max(left, 0), min(left + width, W)",
        "return top, top + height, left, left + width",
        "cut off at the border",
    ),
    Wrong(
        "sides in proportion to the share",
        "round(H * np.sqrt(share)), round(W * np.sqrt(share))",
        "round(H * share), round(W * share)",
        "the AREA",
    ),
    Wrong(
        "a patch of its own",
        "images[partner][:, :, top:bottom, left:right]",
        "images[:, :, top:bottom, left:right]",
        "PARTNER's",
    ),
    Wrong("in place", "mixed = images.copy()", "mixed = images", "into a copy"),
]
