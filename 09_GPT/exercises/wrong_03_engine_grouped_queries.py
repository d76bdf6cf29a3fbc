from dlfs.exercises import Wrong

REPEATED = "k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)  #"
JOINED = "torch.cat((cache[0], k), dim=2), torch.cat((cache[1], v), dim=2)"
FEW = "nn.Linear(n_embd, n_kv_head * D), nn.Linear(n_embd, n_kv_head * D)"
DEALT = "torch.cat([k] * group, dim=1), torch.cat([v] * group, dim=1)  #"

WRONG = [
    Wrong("repeat: heads dealt out in turn", REPEATED, DEALT, "repeat_interleave, not repeat"),
    Wrong("no causal mask", ".tril(S - T)", "", "sees a later one"),
    Wrong("the mask as if there were no cache", ".tril(S - T)", ".tril()", "places in the whole text"),
    Wrong("new keys before the old", JOINED, "torch.cat((k, cache[0]), dim=2), torch.cat((v, cache[1]), dim=2)", "come first"),
    Wrong("only the last tokens are kept", "if cache:", "if False:", "in the whole text"),
    Wrong("values of all heads", FEW, "nn.Linear(n_embd, n_kv_head * D), nn.Linear(n_embd, n_embd)", "n_kv_head heads"),
    Wrong("keys out of the graph", "self.split_heads(self.k_proj(x), ", "self.split_heads(self.k_proj(x).detach(), ", "no gradient"),
    Wrong("keys alone are counted", "return 2 * n_layer", "return n_layer", "keys and values"),
]  # fmt: skip
