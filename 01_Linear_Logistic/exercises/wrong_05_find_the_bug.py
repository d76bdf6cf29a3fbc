from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "held-out rows take part in the scaling",
        "rows = train",
        "rows = np.concatenate([train, test])",
        "may not depend on other test rows",
    ),
    Wrong(
        "mended by scaling each by itself",
        "(test - mean) / deviation",
        "(test - test.mean(axis=0)) / (test.std(axis=0) + 1e-12)",
        "may not depend on other test rows",
    ),
    Wrong(
        "the test rows are not scaled", "(test - mean) / deviation", "test", "the test rows get the training rows' mean"
    ),
    Wrong("the offset of all rows", "offset = y[others].mean()", "offset = y.mean()", "come from the other rows"),
]
