from dlfs.exercises import Wrong

WRONG = [
    Wrong("prompts of any length in the mean", "F.normalize(texts, dim=-1).unflatten", "texts.unflatten", "unit vectors"),
    Wrong("the mean is shorter than 1", "F.normalize(texts.mean(dim=1), dim=-1)", "texts.mean(dim=1)", "1 long again"),
    Wrong("no temperature", "model.logit_scale.exp() * ", "", "exp(logit_scale)"),
    Wrong("the logarithm for the temperature", "model.logit_scale.exp()", "model.logit_scale", "exp(logit_scale)"),
    Wrong("mean over the classes", "texts.mean(dim=1)", "texts.mean(dim=0)", "text_head"),
    Wrong("a head that is frozen", "nn.Parameter(weight)", "nn.Parameter(weight, requires_grad=False)", "to be trained"),
    Wrong("alpha the wrong way round", "p.lerp_(q, alpha)", "p.lerp_(q, 1 - alpha)", "(1 - alpha) of a"),
    Wrong("a itself is changed", "copy.deepcopy(a)", "a", "copy it first"),
]  # fmt: skip
