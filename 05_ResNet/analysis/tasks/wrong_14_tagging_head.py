from dlfs.exercises import Wrong

RESET = "    model.reset_classifier(num_labels)\n"
POOL = "    model.global_pool = GeM().to(device=model.fc.weight.device, dtype=model.fc.weight.dtype)\n"
LOSS = "F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))"

WRONG = [
    Wrong("no root", ".mean(dim=(2, 3)) ** (1 / self.p)", ".mean(dim=(2, 3))", "root"),
    Wrong("no clamp", "x.clamp(min=self.eps)", "x", "clamp to eps"),
    Wrong("p is read as a number", "** self.p  #", "** self.p.item()  #", "p is learnt"),
    Wrong("a mean over the channels too", "dim=(2, 3)", "dim=(1, 2, 3)", "dims 2 and 3"),
    Wrong("the classifier is reset after the pooling", RESET + POOL, POOL + RESET.replace(")", ", 'avg')"), "after reset_classifier"),
    Wrong("fc exchanged by hand", "model.reset_classifier(num_labels)", "model.fc = nn.Linear(512, num_labels, dtype=model.fc.weight.dtype)", "which sets it"),
    Wrong("the pooling stays in float32", ".to(device=model.fc.weight.device, dtype=model.fc.weight.dtype)", "", "the model's dtype"),
    Wrong("softmax: the labels compete", LOSS, "F.cross_entropy(logits, labels.to(logits.dtype))", "not a softmax"),
    Wrong("sigmoid, then the logarithm", LOSS, "-(labels * torch.sigmoid(logits).log() + (1 - labels) * (1 - torch.sigmoid(logits)).log()).mean()", "softplus"),
    Wrong("the sum over the labels", LOSS, "2 * " + LOSS, "the mean over both"),
]  # fmt: skip
