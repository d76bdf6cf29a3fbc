from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "the gate keeps the old state",
        "return (1 - f) * h + f * n",
        "return f * h + (1 - f) * n",
        "takes the NEW state",
    ),
    Wrong(
        "the candidate sees the whole state",
        "torch.cat([x, f * h], dim=1)",
        "torch.cat([x, h], dim=1)",
        "the candidate sees f ⊙ h",
    ),
    Wrong(
        "the state before x",
        "self.gate(torch.cat([x, h], dim=1))",
        "self.gate(torch.cat([h, x], dim=1))",
        "x comes before the state",
    ),
    Wrong(
        "lengths are ignored",
        "h = torch.where(going, self.cell(x[:, t], h), h)",
        "h = self.cell(x[:, t], h)",
        "carried past",
    ),
    Wrong("one step too many", "(t < lengths)", "(t <= lengths)", "must not be looked at"),
    Wrong(
        "zeros behind the end",
        "self.cell(x[:, t], h), h)",
        "self.cell(x[:, t], h), torch.zeros_like(h))",
        "carried past",
    ),
    Wrong(
        "a product with the mask",
        "torch.where(going, self.cell(x[:, t], h), h)",
        "self.cell(x[:, t], h) * going",
        "carried past",
    ),
]
