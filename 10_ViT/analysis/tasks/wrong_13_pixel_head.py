from dlfs.exercises import Wrong

WRONG = [
    Wrong("cut off at the other end", "self.backbone.num_prefix_tokens :", ": -self.backbone.num_prefix_tokens", "num_prefix_tokens"),
    Wrong("column by column", "return F.interpolate(maps,", "return F.interpolate(maps.transpose(2, 3),", "row by row"),
    Wrong("corner on corner", "align_corners=False", "align_corners=True", "align_corners=False"),
    Wrong("blocks of one colour", 'mode="bilinear", align_corners=False', 'mode="nearest"', "bilinearly"),
    Wrong("as small as the grid", "size=x.shape[2:]", "size=maps.shape[2:]", "for each pixel"),
]  # fmt: skip
