from dlfs.exercises import Wrong

WRONG = [
    Wrong("the first place is not counted", "// stride + 1", "// stride", "adding the first place"),
    Wrong("padding at one end", "2 * padding", "padding", "padding is at both ends"),
    Wrong(
        "rounded up",
        "(size + 2 * padding - covered) // stride + 1",
        "-(-(size + 2 * padding - covered) // stride) + 1",
        "round down",
    ),
    Wrong(
        "the dilation is a factor of the kernel",
        "dilation * (kernel - 1) + 1",
        "dilation * kernel",
        "a dilated kernel covers",
    ),
    Wrong(
        "a layer's own stride counts at once",
        "        field += (kernel - 1) * dilation * jump\n        jump *= stride",
        "        jump *= stride\n        field += (kernel - 1) * dilation * jump",
        "BEFORE it",
    ),
    Wrong("strides are forgotten", "jump *= stride", "pass", "BEFORE it"),
    Wrong("no biases", "k * k + 1) * after", "k * k) * after", "one bias"),
]
