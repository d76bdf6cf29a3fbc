from dlfs.exercises import Wrong

WRONG = [
    Wrong("in training", "        model.eval()\n", "", "rows add up to 1"),
    Wrong("with a graph", "with torch.no_grad():", "with torch.enable_grad():", "without gradient"),
    Wrong("the mode is not put back", "        model.train(training)\n", "", "put the mode back"),
    Wrong("the switch is not put back", "block.attn.fused_attn = was", "pass", "put the switch back"),
    Wrong("the hooks stay", "handle.remove()", "pass", "remove the handles"),
    Wrong("without the identity", " + torch.eye(maps.shape[-1], dtype=maps.dtype, device=maps.device)) / 2", ")", "half the identity"),
    Wrong("in the other order", "block @ result", "result @ block", "on the left"),
]  # fmt: skip
