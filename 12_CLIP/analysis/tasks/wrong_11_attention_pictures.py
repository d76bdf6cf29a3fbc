from dlfs.exercises import Wrong

WRONG = [
    Wrong("the class token's own weight is in the sum", "/ weights.sum(dim=-1, keepdim=True)", "/ 1", "the sum over the patches"),
    Wrong("what looks at the class token", "[:, :, 0, 1:]", "[:, :, 1:, 0]", "row 0 is the class token's"),
    Wrong("always the last block", "attentions[block]", "attentions[-1]", "row 0"),
    Wrong("eager for ever", "model.set_attn_implementation(before)", "pass", "back"),
    Wrong("with a graph", "@torch.no_grad()\n", "", "torch.no_grad()"),
]  # fmt: skip
