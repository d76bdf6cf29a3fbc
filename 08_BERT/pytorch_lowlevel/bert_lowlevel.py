"""BERT, level 2: tensors and autograd, parameters in a dict, no nn.Module.

Devlin, Chang, Lee & Toutanova 2018. `eq. n` is equation (n) of ../theory.md; the gradients are autograd's.
Shapes: B texts of T tokens, C channels in N heads of D, F units within a layer, M tokens of a text to be guessed, V tokens in the
vocabulary, K classes.
"""

import math

import torch

from ..study import IGNORED, BERTConfig

# ---------------------------------------------------------------------------------------------- Initialisation


def init_parameter(name, shape, std, generator):
    """Matrices N(0, std²), cut off at two standard deviations; γ 1, biases and β 0."""
    if len(shape) == 2:
        parameter = torch.randn(shape, generator=generator)
        while bool((far := parameter.abs() > 2).any()):
            parameter = torch.where(far, torch.randn(shape, generator=generator), parameter)
        parameter = std * parameter  # eq. 34
    elif "norm" in name and name.endswith("weight"):
        parameter = torch.ones(shape)
    else:
        parameter = torch.zeros(shape)
    return parameter


# ------------------------------------------------------------------------------------------------------ Layers


class Layer:
    """A layer or a group of layers: it finds its parameters in the model's dict, under its own name."""

    def __init__(self, config: BERTConfig, params, name):
        self.config, self.params, self.name = config, params, name

    def linear(self, x, layer):  # (…, fan in)
        return (
            x @ self.params[f"{self.name}.{layer}.weight"].T + self.params[f"{self.name}.{layer}.bias"]
        )  # (…, fan out)

    def layer_norm(self, x, layer):  # (…, C)
        mean = x.mean(dim=-1, keepdim=True)  # (…, 1)
        var = ((x - mean) ** 2).mean(dim=-1, keepdim=True)  # (…, 1): the biased one
        x_hat = (x - mean) / torch.sqrt(var + self.config.layer_norm_eps)  # (…, C)
        gamma, beta = self.params[f"{self.name}.{layer}.weight"], self.params[f"{self.name}.{layer}.bias"]
        return x_hat * gamma + beta  # eq. 2


class Embeddings(Layer):
    """The sum of three: which word, which place, which segment."""

    def forward(self, input_ids, token_type_ids, dropout_p=0.0):  # (B, T), (B, T)
        words, places, segments = (
            self.params[f"{self.name}.{kind}_embeddings.weight"] for kind in ("word", "position", "token_type")
        )
        positions = torch.arange(input_ids.shape[1], device=input_ids.device)  # (T,)
        e = words[input_ids] + places[positions]  # (B, T, C), eq. 1
        e = e + segments[token_type_ids]
        return dropout(self.layer_norm(e, "norm"), dropout_p)  # eq. 2


class Attention(Layer):
    """Every token looks at all that are no padding, before it and after it, in N heads."""

    def forward(self, x, mask, dropout_p=0.0):  # (B, T, C), (B, 1, 1, T)
        q = self.split_heads(self.linear(x, "q_proj"))  # (B, N, T, D), eq. 3
        k = self.split_heads(self.linear(x, "k_proj"))
        v = self.split_heads(self.linear(x, "v_proj"))
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3])  # (B, N, T, T), eq. 4
        weights = torch.softmax(scores.masked_fill(~mask, -math.inf), dim=-1)  # (B, N, T, T), eq. 5
        y = dropout(weights, dropout_p) @ v  # (B, N, T, D), eq. 6
        y = y.transpose(1, 2).flatten(2)  # (B, T, C)
        return dropout(self.linear(y, "out_proj"), dropout_p)  # eq. 7

    def split_heads(self, x):  # (B, T, C)
        return x.unflatten(2, (self.config.num_attention_heads, -1)).transpose(1, 2)  # (B, N, T, D)


def gelu(a, config):
    if config.gelu == "erf":
        return 0.5 * a * (1 + torch.erf(a / math.sqrt(2)))  # eq. 9
    return 0.5 * a * (1 + torch.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a**3)))  # eq. 10


def dropout(x, p):
    """Each element 0 with probability p, else 1 / (1 - p) as large, so that the mean stays."""
    return x * (torch.rand_like(x) >= p).to(x.dtype) / (1 - p) if p else x


class EncoderLayer(Layer):
    """Attention, then two dense layers; each is added to what it read, and the sum normalised."""

    def __init__(self, config: BERTConfig, params, name):
        super().__init__(config, params, name)
        self.attn = Attention(config, params, f"{name}.attn")

    def forward(self, x, mask, dropout_p=0.0):  # (B, T, C)
        x = self.layer_norm(x + self.attn.forward(x, mask, dropout_p), "norm1")  # (B, T, C), eq. 8
        a = self.linear(x, "linear1")  # (B, T, F), eq. 11
        y = dropout(self.linear(gelu(a, self.config), "linear2"), dropout_p)  # (B, T, C)
        return self.layer_norm(x + y, "norm2")  # eq. 12


class MLMHead(Layer):
    """Which word stood here: a dense layer, then the product with every word's embedding."""

    def forward(self, h, word_embeddings):  # (B, M, C), (V, C)
        h = self.layer_norm(gelu(self.linear(h, "dense"), self.config), "norm")  # (B, M, C), eq. 14
        return h @ word_embeddings.T + self.params["mlm.bias"]  # (B, M, V), eq. 15


# ------------------------------------------------------------------------------------------------------- Model


class BERT:
    """tokens -> embeddings -> num_hidden_layers encoder layers -> what config.head reads off the last of them.

    `params` is a dict of leaf tensors; config.shapes has their names and shapes; their gradients are `.grad`.
    """

    def __init__(self, config: BERTConfig, generator: torch.Generator | None = None):
        self.config, self.training = config, True
        std = config.initializer_range
        self.params = {name: init_parameter(name, shape, std, generator) for name, shape in config.shapes.items()}
        for param in self.params.values():
            param.requires_grad_()
        self.embeddings = Embeddings(config, self.params, "embeddings")
        self.layers = [EncoderLayer(config, self.params, f"layers.{i}") for i in range(config.num_hidden_layers)]
        if config.head == "pretraining":
            self.mlm = MLMHead(config, self.params, "mlm")

    def encode(self, input_ids, token_type_ids, attention_mask):  # (B, T) each
        """The last layer's output (B, T, C)."""
        dropout_p = self.config.dropout if self.training else 0.0
        mask = (attention_mask != 0)[:, None, None, :]  # (B, 1, 1, T): true where there is something to look at
        h = self.embeddings.forward(input_ids, token_type_ids, dropout_p)  # (B, T, C)
        for layer in self.layers:
            h = layer.forward(h, mask, dropout_p)  # (B, T, C)
        return h

    def forward(self, input_ids, token_type_ids, attention_mask, masked_positions=None):  # (B, T) each, (B, M)
        """What the head reads off the last layer, in logits.

        none: that layer (B, T, C), and [CLS] pooled (B, C). pretraining: words at masked_positions (B, M, V), and whether the second
        segment follows the first, 0, or not, 1 (B, 2). sequence: (B, K). token: (B, T, K). qa: where an answer starts (B, T), and ends
        (B, T). attention_mask is 0 for padding, else 1; token_type_ids are 0 in the first segment and 1 in the second.
        """
        self.config.check_input(input_ids, token_type_ids, attention_mask, masked_positions)
        h = self.encode(input_ids, token_type_ids, attention_mask)  # (B, T, C)
        head, p = self.config.head, self.params
        dropout_p = self.config.dropout if self.training else 0.0
        if self.config.has_pooler:
            pooled = torch.tanh(h[:, 0] @ p["pooler.weight"].T + p["pooler.bias"])  # (B, C), eq. 13
        if head == "none":
            return h, pooled
        if head == "pretraining":
            text = torch.arange(h.shape[0], device=h.device)[:, None]  # (B, 1)
            chosen = h[text, masked_positions]  # (B, M, C)
            words = self.mlm.forward(chosen, p["embeddings.word_embeddings.weight"])  # (B, M, V), eq. 15
            return words, pooled @ p["nsp.weight"].T + p["nsp.bias"]  # eq. 16
        if head == "sequence":
            return dropout(pooled, dropout_p) @ p["classifier.weight"].T + p["classifier.bias"]  # (B, K), eq. 19
        if head == "token":
            return dropout(h, dropout_p) @ p["classifier.weight"].T + p["classifier.bias"]  # (B, T, K), eq. 20
        start, end = (h @ p["qa_outputs.weight"].T + p["qa_outputs.bias"]).unbind(-1)  # (B, T) each, eq. 21
        return start, end

    def loss(self, input_ids, token_type_ids, attention_mask, *targets):
        """What the head is trained on, in nats; a target of -100 is left out.

        pretraining: masked_positions (B, M), masked_ids (B, M), next_sentence (B,). sequence: labels (B,). token: labels (B, T).
        qa: start (B,), end (B,).
        """
        inputs = (input_ids, token_type_ids, attention_mask)
        if self.config.head == "pretraining":
            masked_positions, *targets = targets
            inputs = (*inputs, masked_positions)
        self.config.check_targets(targets, input_ids, inputs[-1])
        outputs = self.forward(*inputs)
        if self.config.head == "pretraining":
            return cross_entropy(outputs[0], targets[0]) + cross_entropy(outputs[1], targets[1])  # eq. 17, 18
        if self.config.head == "qa":
            return (cross_entropy(outputs[0], targets[0]) + cross_entropy(outputs[1], targets[1])) / 2  # eq. 22
        return cross_entropy(outputs, targets[0])

    def train_step(self, *batch, lr):
        """One step of gradient descent on what `loss` takes; returns the loss before it."""
        for param in self.params.values():
            param.grad = None
        loss = self.loss(*batch)
        loss.backward()
        with torch.no_grad():
            for param in self.params.values():
                param -= lr * param.grad
        return loss.item()

    def train(self, mode=True):
        """With dropout, or without."""
        self.training = mode

    def parameters(self):
        return list(self.params.values())

    def state_dict(self):
        """The parameters by name; as in PyTorch they share the model's memory."""
        return {name: param.detach() for name, param in self.params.items()}

    def load_state_dict(self, state):
        """Copy in every parameter, dtype included; refuse a missing, an unknown and a wrongly shaped one."""
        for name in {**self.params, **state}:
            expected, got = (tuple(d[name].shape) if name in d else None for d in (self.params, state))
            if expected != got:
                raise RuntimeError(f"BERT.load_state_dict: {name}: expected shape {expected}, got {got}")
        self.params.update(
            {name: torch.as_tensor(state[name]).detach().clone().requires_grad_() for name in self.params}
        )


def cross_entropy(logits, labels):  # (…, K), (…)
    """The mean of -log softmax at the labels that are not -100."""
    chosen = labels != IGNORED
    logits, labels = logits[chosen], labels[chosen]  # (n, K), (n,)
    log_probs = logits - torch.logsumexp(logits, dim=-1, keepdim=True)
    return -log_probs.gather(-1, labels[:, None]).mean()  # (), eq. 17
