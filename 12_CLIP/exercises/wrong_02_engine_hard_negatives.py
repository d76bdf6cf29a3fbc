from dlfs.exercises import Wrong

NORMAL = "w * (len(C) - 1) / w.sum(1, keepdim=True)"
GRAPH = "    with torch.no_grad():\n        diagonal"
COLUMNS = "F.cross_entropy(Z.T + hardness(C.T, self.beta).log(), right)"

WRONG = [
    Wrong("they add up to 1", NORMAL, "w / w.sum(1, keepdim=True)", "divided by its MEAN"),
    Wrong("the mean over all B", NORMAL, "w * len(C) / w.sum(1, keepdim=True)", "B − 1 others"),
    Wrong("the right answer is weighted, too", ".exp().masked_fill(diagonal, 0.0)", ".exp()", "takes no part"),
    Wrong("columns for rows", NORMAL, "w * (len(C) - 1) / w.sum(0, keepdim=True)", "of the row"),
    Wrong("the easy ones count", "(beta * (C - C.amax(1, keepdim=True))).exp()", "(-beta * (C - C.amax(1, keepdim=True))).exp()", "e^(β C)"),
    Wrong("a gradient through the weights", GRAPH, "    if True:\n        diagonal", "which only choose"),
    Wrong("weights times logits", "Z + hardness(C, self.beta).log()", "Z * hardness(C, self.beta)", "log w is added"),
    Wrong("the same weights for both directions", COLUMNS, "F.cross_entropy((Z + hardness(C, self.beta).log()).T, right)", "the weights of Cᵀ"),
    Wrong("weights without their logarithm", "Z + hardness(C, self.beta).log()", "Z + hardness(C, self.beta)", "log w is added"),
    Wrong("one direction", "(rows + columns) / 2", "rows", "each asked once"),
    Wrong("lengths count", "F.normalize(x) @ F.normalize(t).T", "x @ t.T", "log w is added"),
    Wrong("the temperature itself", "nn.Parameter(torch.tensor(START))", "nn.Parameter(torch.tensor(1 / 0.07))", "LOGARITHM"),
    Wrong("no bound", "self.logit_scale.clamp(max=LARGEST).exp()", "self.logit_scale.exp()", "at most 100"),
    Wrong("the bound of the scale for its logarithm", "self.logit_scale.clamp(max=LARGEST)", "self.logit_scale.clamp(max=100)", "at most 100"),
]  # fmt: skip
