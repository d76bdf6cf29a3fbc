from dlfs.exercises import Wrong

CUT = "images.reshape(B, C, H // P, P, W // P, P).permute(0, 2, 4, 1, 3, 5)"
RESIZE = 'F.interpolate(picture, size=tuple(new), mode="bilinear", align_corners=False)'

WRONG = [
    Wrong("a reshape without a permutation", CUT, "images", "permute"),
    Wrong(
        "channels last",
        CUT,
        "images.reshape(B, C, H // P, P, W // P, P).permute(0, 2, 4, 3, 5, 1)",
        "channel by channel",
    ),
    Wrong(
        "column by column", CUT, "images.reshape(B, C, H // P, P, W // P, P).permute(0, 4, 2, 1, 3, 5)", "row by row"
    ),
    Wrong("the bias stays random", "        linear.bias.copy_(conv.bias)\n", "", "the bias comes along"),
    Wrong(
        "the weight with channels last",
        "conv.weight.reshape(conv.out_channels, -1)",
        "conv.weight.permute(0, 2, 3, 1).reshape(conv.out_channels, -1)",
        "in the order of the patches",
    ),
    Wrong(
        "the rows are taken for channels",
        "table[1:].T.reshape(1, D, *old)",
        "table[1:].reshape(1, D, *old)",
        "D CHANNELS",
    ),
    Wrong("corners aligned", "align_corners=False", "align_corners=True", "align_corners=False"),
    Wrong("the nearest for bilinear", RESIZE, "F.interpolate(picture, size=tuple(new))", "bilinear"),
    Wrong("height and width exchanged", "size=tuple(new)", "size=tuple(new)[::-1]", "a picture (gh, gw)"),
    Wrong(
        "the class token last",
        "(self.cls_token.expand(B, -1, -1), x)",
        "(x, self.cls_token.expand(B, -1, -1))",
        "comes first",
    ),
    Wrong(
        "a table out of the graph",
        "x + resized(self.pos_embed, self",
        "x + resized(self.pos_embed.detach(), self",
        "no gradient reaches pos_embed",
    ),
    Wrong("width before height", "(H // self.P, W // self.P))", "(W // self.P, H // self.P))", "(H / P, W / P)"),
]
