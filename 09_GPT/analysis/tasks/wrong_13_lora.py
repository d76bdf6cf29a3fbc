from dlfs.exercises import Wrong

FORWARD = "self.base(x) + self.scale * (x @ self.A @ self.B)"
ADDED = "module.scale * (module.A @ module.B)"
NAMED = 'any(f".{name}".endswith(f".{layer}") for layer in layers)'
RETURN = "    return model\n\n\ndef adapter_state"
BACK = "            setattr(model.get_submodule(parent), child, module.base)\n"

WRONG = [
    Wrong("nn.Linear is looked for", "isinstance(module, Conv1D)", "isinstance(module, nn.Linear)", "not nn.Linear"),
    Wrong("any layer that has the name's end in it", NAMED, "name.split('.')[-1] in [layer.split('.')[-1] for layer in layers]", "full name ends so"),
    Wrong("nothing is frozen", "    model.requires_grad_(False)\n", "", "freeze the rest"),
    Wrong("frozen after the adapters are in", RETURN, RETURN.replace("model", "model.requires_grad_(False)", 1), "freeze the rest"),
    Wrong("no scale", FORWARD, "self.base(x) + x @ self.A @ self.B", "alpha / rank"),
    Wrong("the change in the place of the layer", FORWARD, "self.scale * (x @ self.A @ self.B)", "base(x) plus"),
    Wrong("the change is not learnt: a constant", FORWARD, "self.base(x) + self.scale * (x @ self.A.detach() @ self.B)", "with either alone"),
    Wrong("merged without the scale", ADDED, "module.A @ module.B", "scale not forgotten"),
    Wrong("merged with the sign of a gradient step", f"+= {ADDED}", f"-= {ADDED}", "weight += scale A B"),
    Wrong("the wrapper stays", BACK, "            module.B.data.zero_()\n", "put the Conv1D back"),
    Wrong("merged, and still frozen", "return model.requires_grad_(True)", "return model", "still frozen"),
    Wrong("the whole state is saved", 'if name.rpartition(".")[0] in adapters', "", "A and B alone"),
]  # fmt: skip
