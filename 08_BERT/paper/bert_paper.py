"""BERT, level 3: nn.Module, as PyTorch code is written.

Devlin, Chang, Lee & Toutanova 2018. `eq. n` is equation (n) of ../theory.md; the gradients are autograd's.
Shapes: B texts of T tokens, C channels in N heads of D, F units within a layer, M tokens of a text to be guessed, V tokens in the
vocabulary, K classes.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..study import IGNORED, BERTConfig

# ---------------------------------------------------------------------------------------------- Initialisation


def init_parameter(name, parameter, std):
    """Matrices N(0, std²), cut off at two standard deviations; γ 1, biases and β 0."""
    if parameter.ndim == 2:
        nn.init.trunc_normal_(parameter, std=std, a=-2 * std, b=2 * std)  # eq. 34
    elif "norm" in name and name.endswith("weight"):
        nn.init.ones_(parameter)
    else:
        nn.init.zeros_(parameter)


# ------------------------------------------------------------------------------------------------------ Layers


class Embeddings(nn.Module):
    """The sum of three: which word, which place, which segment."""

    def __init__(self, config: BERTConfig):
        super().__init__()
        C = config.hidden_size
        self.word_embeddings = nn.Embedding(config.vocab_size, C)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, C)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, C)
        self.norm = nn.LayerNorm(C, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, input_ids, token_type_ids):  # (B, T), (B, T)
        positions = torch.arange(input_ids.shape[1], device=input_ids.device)  # (T,)
        e = self.word_embeddings(input_ids) + self.position_embeddings(positions)  # (B, T, C), eq. 1
        e = e + self.token_type_embeddings(token_type_ids)
        return self.dropout(self.norm(e))  # eq. 2


class Attention(nn.Module):
    """Every token looks at all that are no padding, before it and after it, in N heads."""

    def __init__(self, config: BERTConfig):
        super().__init__()
        self.config = config
        C = config.hidden_size
        self.q_proj, self.k_proj, self.v_proj = nn.Linear(C, C), nn.Linear(C, C), nn.Linear(C, C)
        self.out_proj = nn.Linear(C, C)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x, mask):  # (B, T, C), (B, 1, 1, T)
        q = self.split_heads(self.q_proj(x))  # (B, N, T, D), eq. 3
        k = self.split_heads(self.k_proj(x))
        v = self.split_heads(self.v_proj(x))
        p = self.config.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=p)  # (B, N, T, D), eq. 4 to 6
        y = y.transpose(1, 2).flatten(2)  # (B, T, C)
        return self.dropout(self.out_proj(y))  # eq. 7

    def split_heads(self, x):  # (B, T, C)
        return x.unflatten(2, (self.config.num_attention_heads, -1)).transpose(1, 2)  # (B, N, T, D)


def gelu(a, config):
    return F.gelu(a, approximate="none" if config.gelu == "erf" else "tanh")  # eq. 9, 10


class EncoderLayer(nn.Module):
    """Attention, then two dense layers; each is added to what it read, and the sum normalised."""

    def __init__(self, config: BERTConfig):
        super().__init__()
        self.config = config
        C, F = config.hidden_size, config.intermediate_size
        self.attn = Attention(config)
        self.norm1 = nn.LayerNorm(C, eps=config.layer_norm_eps)
        self.linear1, self.linear2 = nn.Linear(C, F), nn.Linear(F, C)
        self.norm2 = nn.LayerNorm(C, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x, mask):  # (B, T, C)
        x = self.norm1(x + self.attn(x, mask))  # (B, T, C), eq. 8
        a = self.linear1(x)  # (B, T, F), eq. 11
        y = self.dropout(self.linear2(gelu(a, self.config)))  # (B, T, C)
        return self.norm2(x + y)  # eq. 12


class MLMHead(nn.Module):
    """Which word stood here: a dense layer, then the product with every word's embedding."""

    def __init__(self, config: BERTConfig):
        super().__init__()
        self.config = config
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, h, word_embeddings):  # (B, M, C), (V, C)
        h = self.norm(gelu(self.dense(h), self.config))  # (B, M, C), eq. 14
        return F.linear(h, word_embeddings, self.bias)  # (B, M, V), eq. 15


# ------------------------------------------------------------------------------------------------------- Model


class BERT(nn.Module):
    """tokens -> embeddings -> num_hidden_layers encoder layers -> what config.head reads off the last of them.

    config.shapes has the parameters' names and shapes.
    """

    def __init__(self, config: BERTConfig):
        super().__init__()
        self.config = config
        C, head = config.hidden_size, config.head
        self.embeddings = Embeddings(config)
        self.layers = nn.ModuleList([EncoderLayer(config) for _ in range(config.num_hidden_layers)])
        if config.has_pooler:
            self.pooler = nn.Linear(C, C)
        self.dropout = nn.Dropout(config.dropout)
        if head == "pretraining":
            self.mlm, self.nsp = MLMHead(config), nn.Linear(C, 2)
        elif head in ("sequence", "token"):
            self.classifier = nn.Linear(C, config.num_labels)
        elif head == "qa":
            self.qa_outputs = nn.Linear(C, 2)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                init_parameter(name, parameter, config.initializer_range)

    def encode(self, input_ids, token_type_ids, attention_mask):  # (B, T) each
        """The last layer's output (B, T, C)."""
        mask = (attention_mask != 0)[:, None, None, :]  # (B, 1, 1, T): true where there is something to look at
        h = self.embeddings(input_ids, token_type_ids)  # (B, T, C)
        for layer in self.layers:
            h = layer(h, mask)  # (B, T, C)
        return h

    def forward(self, input_ids, token_type_ids, attention_mask, masked_positions=None):  # (B, T) each, (B, M)
        """What the head reads off the last layer, in logits.

        none: that layer (B, T, C), and [CLS] pooled (B, C). pretraining: words at masked_positions (B, M, V), and whether the second
        segment follows the first, 0, or not, 1 (B, 2). sequence: (B, K). token: (B, T, K). qa: where an answer starts (B, T), and ends
        (B, T). attention_mask is 0 for padding, else 1; token_type_ids are 0 in the first segment and 1 in the second.
        """
        self.config.check_input(input_ids, token_type_ids, attention_mask, masked_positions)
        h = self.encode(input_ids, token_type_ids, attention_mask)  # (B, T, C)
        head = self.config.head
        if self.config.has_pooler:
            pooled = torch.tanh(self.pooler(h[:, 0]))  # (B, C), eq. 13
        if head == "none":
            return h, pooled
        if head == "pretraining":
            text = torch.arange(h.shape[0], device=h.device)[:, None]  # (B, 1)
            chosen = h[text, masked_positions]  # (B, M, C)
            return self.mlm(chosen, self.embeddings.word_embeddings.weight), self.nsp(pooled)  # eq. 15, 16
        if head == "sequence":
            return self.classifier(self.dropout(pooled))  # (B, K), eq. 19
        if head == "token":
            return self.classifier(self.dropout(h))  # (B, T, K), eq. 20
        start, end = self.qa_outputs(h).unbind(-1)  # (B, T) each, eq. 21
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


def cross_entropy(logits, labels):  # (…, K), (…)
    """The mean of -log softmax at the labels that are not -100."""
    K = logits.shape[-1]
    return F.cross_entropy(logits.reshape(-1, K), labels.reshape(-1), ignore_index=IGNORED)  # eq. 17
