from dlfs.exercises import Wrong

MEAN = "masked_mean(outputs.last_hidden_state, attention_mask)"

WRONG = [
    Wrong("a mean over padding too", "(h * kept).sum(dim=1) / kept.sum(dim=1)", "h.mean(dim=1)", "padding is in neither"),
    Wrong("divided by all places", "kept.sum(dim=1)", "h.shape[1]", "number of tokens"),
    Wrong("not multiplied by the mask", "(h * kept).sum", "h.sum", "padding is in neither"),
    Wrong("[CLS] alone", MEAN, "outputs.last_hidden_state[:, 0]", "the mean of the last layer"),
    Wrong("not normalised", f"F.normalize({MEAN}, dim=-1)", MEAN, "divided by its length"),
    Wrong("BERT does not get the mask", "input_ids=input_ids, attention_mask=attention_mask)", "input_ids=input_ids)", "look at the padding"),
    Wrong("no gradient", "outputs = self.bert(", "with torch.no_grad():\n            outputs = self.bert(", "no gradient reaches"),
    Wrong("multiplied by the temperature", "/ temperature", "* temperature", "a @ b.T / temperature"),
    Wrong("the wrong way round", "a @ b.T", "b @ a.T", "row i of a @ b.T"),
    Wrong("within one side", "a @ b.T", "a @ a.T", "row i of a @ b.T"),
]  # fmt: skip
