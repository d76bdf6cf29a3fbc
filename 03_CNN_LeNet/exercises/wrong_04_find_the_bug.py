from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "what leaves at one side comes back at the other",
        "shifted[b] = padded[b, top : top + H, left : left + W]",
        "shifted[b] = np.roll(images[b], (dy[b], dx[b]), axis=(0, 1))",
        "what enters from outside is 0",
    ),
    Wrong(
        "mended with the edge's own colour",
        "(margin, margin)))  # zeros",
        '(margin, margin)), mode="edge")  # zeros',
        "what enters from outside is 0",
    ),
    Wrong(
        "up and left",
        "top, left = margin - dy[b], margin - dx[b]",
        "top, left = margin + dy[b], margin + dx[b]",
        "positive is down and right",
    ),
    Wrong(
        "one shift for all",
        "top, left = margin - dy[b], margin - dx[b]",
        "top, left = margin - dy[0], margin - dx[0]",
        "image b moves by",
    ),
    Wrong(
        "the upper end is left out",
        "rng.integers(-2, 3, size=(2, B))",
        "rng.integers(-2, 2, size=(2, B))",
        "both ends included",
    ),
    Wrong(
        "the batch's mean", "images.mean(axis=(1, 2), keepdims=True)", "images.mean(keepdims=True)", "each image's own"
    ),
]
