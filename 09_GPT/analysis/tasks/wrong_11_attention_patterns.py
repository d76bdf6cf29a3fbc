from dlfs.exercises import Wrong

SENT = "module.c_proj.weight.view(N, D, -1)"

WRONG = [
    Wrong("no mask under the name", "    AttentionMaskInterface.register(NAME, eager_mask)\n", "", "AttentionMaskInterface"),
    Wrong("the scaling that is given is ignored", "D**-0.5 if scaling is None else scaling", "D**-0.5", "scaled scores"),
    Wrong("softmax over the queries", "torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=-2)", "over the keys"),
    Wrong("the mask is multiplied", "scores + attention_mask", "scores * attention_mask", "mask added"),
    Wrong("heads not moved behind the tokens", "y.transpose(1, 2).contiguous()", "y", "(B, T, N, D)"),
    Wrong("the weights alone", "weights * sent.norm(dim=-1)[:, :, None, :]", "weights", "‖v_s W_n‖"),
    Wrong("the values without the output matrix", f"value @ {SENT}", "value", "c_proj.weight"),
    Wrong("the output matrix as nn.Linear has it", SENT, "module.c_proj.weight.T.reshape(N, D, -1)", "rows n D"),
    Wrong("dropout while looking", "    model.eval()\n", "", "dropout is on"),
    Wrong("the attention stays exchanged", "model.set_attn_implementation(before)", "pass", "set back"),
    Wrong("one scale for all heads", "maps.amax(dim=(2, 3), keepdim=True)", "maps.amax()", "its own largest"),
    Wrong("a reshape that mixes heads and rows", "(1 - maps / largest).transpose(1, 2)", "(1 - maps / largest).reshape(L, T, N, T)", "downwards"),
]  # fmt: skip
