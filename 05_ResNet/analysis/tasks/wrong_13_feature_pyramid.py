from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "the smoothed map is handed down",
        "            pyramid.insert(0, self.smooth[i](top_down))  # P_i",
        "            top_down = self.smooth[i](top_down)\n            pyramid.insert(0, top_down)",
        "before it was smoothed",
    ),
    Wrong("enlarged by a factor of 2", "size=laterals[i].shape[-2:], ", "scale_factor=2, ", "size is odd"),
    Wrong("coarsest first", "return pyramid\n", "return pyramid[::-1]\n", "finest first"),
    Wrong("enlarged smoothly", 'mode="nearest"', 'mode="bilinear"', "nearest"),
    Wrong("no lateral connection", "laterals[i] + enlarged", "enlarged", "adds the lateral"),
    Wrong("the stem's map is taken too", ", out_indices=(1, 2, 3, 4)", "", "strides 4, 8, 16, 32"),
    Wrong("the stem's map for the last stage's", "(1, 2, 3, 4)", "(0, 1, 2, 3)", "strides 4, 8, 16, 32"),
    Wrong("one smoothing convolution for all", "nn.ModuleList(nn.Conv2d(channels, channels, kernel_size=3, padding=1) for _ in widths)",
          "nn.ModuleList([nn.Conv2d(channels, channels, kernel_size=3, padding=1)])", "for each map"),
]  # fmt: skip
