from dlfs.exercises import Wrong

FIRST = "word is not None and word != seen[place]"
INDEX = "word_starts.clamp(min=0)[:, :, None]"
FILL = "labels.masked_fill(word_starts < 0, -100)"

WRONG = [
    Wrong("every piece is a word", FIRST, "word is not None", "first piece"),
    Wrong("[CLS] is a word", FIRST, "word != seen[place]", "first piece"),
    Wrong("a number counts once", FIRST, "word is not None and word not in row[:place]", "[SEP] lies between"),
    Wrong("padded with 0", "[-1] * (W", "[0] * (W", "then -1"),
    Wrong("with the pooler", ", add_pooling_layer=False", "", "no word needs the pooler"),
    Wrong("no post_init", "        self.post_init()\n", "", "post_init"),
    Wrong("each text's words from the first", INDEX, "word_starts[:1].clamp(min=0)[:, :, None].repeat(len(h), 1, 1)", "row b takes"),
    Wrong("BERT does not get the mask", "attention_mask=attention_mask)", "attention_mask=None)", "hand attention_mask"),
    Wrong("labels of words that are not there count", "            labels = labels.masked_fill(word_starts < 0, -100)\n", "", "has no label"),
    Wrong("-100 of the caller's is taken for 0", FILL, "labels.clamp(min=0).masked_fill(word_starts < 0, -100)", "-100 is left out"),
    Wrong("the caller's labels are changed", "labels.masked_fill(", "labels.masked_fill_(", "not masked_fill_"),
    Wrong("no dropout", "self.classifier(self.dropout(h.gather(1, index)))", "self.classifier(h.gather(1, index))", "dropout comes before"),
]  # fmt: skip
