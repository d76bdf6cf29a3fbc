from dlfs.exercises import Wrong

WRONG = [
    Wrong("the layers after the heads", "torch.stack(outputs.attentions, dim=1)", "torch.stack(outputs.attentions, dim=2)", "(B, L, N, T, T)"),
    Wrong("no mask", "attention_mask=attention_mask, output", "output", "hand attention_mask on"),
    Wrong("with gradients", "torch.no_grad()", "torch.enable_grad()", "no_grad"),
    Wrong("with dropout", "        model.eval()\n", "", "model.eval() first"),
    Wrong("eager for good", "        model.set_attn_implementation(implementation)\n", "", "set it back"),
    Wrong("in evaluation for good", "        model.train(training)\n", "", "set it back"),
    Wrong("in training for good", "model.train(training)", "model.train()", "set it back"),
    Wrong("an error leaves it changed", "    finally:\n        model.set_attn_implementation(implementation)\n        model.train(training)\n",
          "    except ZeroDivisionError:\n        pass\n    model.set_attn_implementation(implementation)\n    model.train(training)\n", "in a finally"),
    Wrong("no residual connection", "(maps.mean(dim=2) + identity) / 2", "maps.mean(dim=2)", "half the identity"),
    Wrong("rows of 2", " + identity) / 2", " + identity)", "half the heads' mean"),
    Wrong("from the top down", "layers[:, layer] @ result", "result @ layers[:, layer]", "on the left"),
    Wrong("the last layer alone", "result = layers[:, layer] @ result", "result = layers[:, layer]", "on the left"),
]  # fmt: skip
