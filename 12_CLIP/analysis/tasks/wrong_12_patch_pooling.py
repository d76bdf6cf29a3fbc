from dlfs.exercises import Wrong

WRONG = [
    Wrong("the class token is one of the patches", "last_hidden_state[:, 1:]", "last_hidden_state[:, :-1]", "without token 0"),
    Wrong("no post_layernorm", "    hidden = model.vision_model.post_layernorm(hidden)\n", "", "post_layernorm"),
    Wrong("patches of any length", "F.normalize(model.visual_projection(hidden), dim=-1)", "model.visual_projection(hidden)", "length 1"),
    Wrong("a mean that is shorter than 1", "F.normalize((weights[..., None] * patches).sum(dim=1), dim=-1)",
          "(weights[..., None] * patches).mean(dim=1)", "1 long again"),
    Wrong("the mask is not used", "mask.to(patches.dtype)", "torch.ones_like(patches[..., 0])", "the mask weights"),
    Wrong("without a graph", "def patch_features(", "@torch.no_grad()\ndef patch_features(", "no gradient"),
]  # fmt: skip
