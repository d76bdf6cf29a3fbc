from dlfs.exercises import Wrong

COPY = "conv.weight.copy_(linear.weight.reshape(linear.out_features, channels, size, size))"

WRONG = [
    Wrong(
        "channels last",
        COPY,
        "conv.weight.copy_(linear.weight.reshape(linear.out_features, size, size, channels).permute(0, 3, 1, 2))",
        "channel by channel",
    ),
    Wrong("columns for rows", COPY, COPY.replace("size, size))", "size, size).transpose(2, 3))"), "row by row"),
    Wrong("the bias stays random", "        conv.bias.copy_(linear.bias)\n", "", "the bias comes along"),
    Wrong(
        "padded as VGG's other convolutions",
        "linear.out_features, size)\n",
        "linear.out_features, size, padding=1)\n",
        "no padding",
    ),
    Wrong("a ReLU at the end", "return last(h).mean", "return F.relu(last(h)).mean", "none after the last"),
    Wrong("no ReLUs", "h = F.relu(conv(h))", "h = conv(h)", "between any two"),
    Wrong("the largest score for the mean", "last(h).mean((2, 3))", "last(h).amax((2, 3))", "averaged at the very end"),
    Wrong(
        "the linear layers as they are", "nn.ModuleList(convolutions)", "nn.ModuleList([first, *others])", "expected"
    ),
]
