"""A label for each word, read off its first piece: a model of transformers like those that it brings along."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from transformers import BertModel
from transformers.modeling_outputs import TokenClassifierOutput
from transformers.models.bert.modeling_bert import BertPreTrainedModel


def word_starts(word_ids):
    """Where each word begins, (B, W) int64, and -1 for the words that a text has not; from the lists of a tokenizer's word_ids()."""
    places = []
    for row in word_ids:
        seen = [None, *row[:-1]]
        places.append([place for place, word in enumerate(row) if word is not None and word != seen[place]])
    W = max(map(len, places))
    return torch.tensor([row + [-1] * (W - len(row)) for row in places])


class WordTagger(BertPreTrainedModel):
    """BERT without its pooler, and a linear layer on the first piece of each word."""

    def __init__(self, config):
        super().__init__(config)
        self.bert = BertModel(config, add_pooling_layer=False)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(self, input_ids, word_starts, attention_mask=None, labels=None):  # (B, T), (B, W), (B, T), (B, W)
        """logits (B, W, K), and with labels the loss over the words that are there."""
        h = self.bert(input_ids, attention_mask=attention_mask).last_hidden_state  # (B, T, C)
        index = word_starts.clamp(min=0)[:, :, None].expand(-1, -1, h.shape[2])  # (B, W, C)
        logits = self.classifier(self.dropout(h.gather(1, index)))  # (B, W, K)
        loss = None
        if labels is not None:
            labels = labels.masked_fill(word_starts < 0, -100)
            loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
        return TokenClassifierOutput(loss=loss, logits=logits)
