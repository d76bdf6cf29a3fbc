from dlfs.exercises import Wrong

MASKED = "scores.masked_fill(scores < lowest, -math.inf)"
SCATTERED = "scores.scatter(1, recent, found)"
LOWEST = "scores.amax(dim=-1, keepdim=True) + math.log(self.min_p)"
PENALISED = "torch.where(found > 0, found / self.penalty, found * self.penalty)"
WINDOW, HEAT, MIN_P = "RepetitionWindow(penalty, window)", "TemperatureLogitsWarper(temperature)", "MinP(min_p)"
THREE = f"[{WINDOW}, {HEAT}, {MIN_P}]"

WRONG = [
    Wrong("a fixed limit", MASKED, MASKED.replace("scores < lowest", "scores.softmax(-1) < self.min_p"), "likeliest token's probability"),
    Wrong("min_p times the score", LOWEST, "scores.amax(dim=-1, keepdim=True) * self.min_p", "log(min_p)"),
    Wrong("one maximum for the batch", LOWEST, "scores.amax() + math.log(self.min_p)", "in each row its own"),
    Wrong("MinP in place", "scores.masked_fill(scores", "scores.masked_fill_(scores", "new tensor"),
    Wrong("every score is divided", PENALISED, "found / self.penalty", "or it gets likelier"),
    Wrong("the window in place", "scores.scatter(1", "scores.scatter_(1", "new tensor"),
    Wrong("a window from the start", "input_ids[:, -self.window :]", "input_ids[:, : self.window]", "only the last W"),
    Wrong("the whole text", "input_ids[:, -self.window :]", "input_ids", "only the last W"),
    Wrong("a penalty for each occurrence", SCATTERED, "scores.scatter_add(1, recent, found - scores.gather(1, recent))", "each token once"),
    Wrong("min-p before the temperature", THREE, f"[{WINDOW}, {MIN_P}, {HEAT}]", "what is drawn from"),
    Wrong("the window after min-p", THREE, f"[{HEAT}, {MIN_P}, {WINDOW}]", "what is drawn from"),
    Wrong("greedy", "do_sample=True", "do_sample=False", "do_sample=True"),
    Wrong("the rules are left out", "            logits_processor=processors,\n", "", "logits_processor"),
    Wrong("generate's own rule stays on", "            top_k=0,  # generate's own is 50\n", "", "no top_k"),
    Wrong("another rule beside them", "top_k=0,", "top_k=0, top_p=0.5,", "no top_p"),
    Wrong("dropout stays on", "    model.eval()\n", "", "dropout"),
]  # fmt: skip
