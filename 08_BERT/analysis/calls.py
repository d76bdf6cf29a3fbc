"""What the guide traces: a BERT of two layers with the heads of pre-training, on two texts of which one is padded."""

import torch


def pretraining():
    from transformers import BertConfig, BertForPreTraining

    sizes = dict(vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    input_ids = torch.tensor([[2, 11, 12, 3, 13, 3], [2, 14, 15, 3, 0, 0]])
    return BertForPreTraining(BertConfig(**sizes)), (input_ids, (input_ids != 0).long())
