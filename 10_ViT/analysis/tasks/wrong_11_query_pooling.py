from dlfs.exercises import Wrong

WRONG = [
    Wrong("softmax over the images", "dim=1)  # (B, N)", "dim=0)  # (B, N)", "the mean over the tokens"),
    Wrong("not divided", " / math.sqrt(x.shape[-1])", "", "divided by √D"),
    Wrong("the sum", "weights = torch.softmax(scores, dim=1)", "weights = torch.exp(scores)", "the mean over the tokens"),
    Wrong("at another door", "model.attn_pool = ", "model.fc_norm = ", "put the module at attn_pool"),
    Wrong("in float32", ".to(device=model.cls_token.device, dtype=model.cls_token.dtype)", "", "the model's dtype"),
]  # fmt: skip
