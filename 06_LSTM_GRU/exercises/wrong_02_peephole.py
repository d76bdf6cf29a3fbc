from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "the output gate sees the old cell",
        'o = sigmoid(a_o + params["peep_o"] * c)',
        'o = sigmoid(a_o + params["peep_o"] * c_prev)',
        "the NEW cell, 1",
    ),
    Wrong("the order i, f, o, g", "a_i, a_f, a_g, a_o = np.split", "a_i, a_f, a_o, a_g = np.split", "i, f, g, o"),
    Wrong(
        "the forget gate has no peephole",
        'f = sigmoid(a_f + params["peep_f"] * c_prev)',
        "f = sigmoid(a_f)",
        "the forget gate sees the OLD cell",
    ),
    Wrong(
        "nothing comes back through the output gate's peephole", ' + da_o * params["peep_o"]', "", "c goes three ways"
    ),
    Wrong("what comes from the next step is lost", "dc = dc + dh * o", "dc = dh * o", "c goes three ways"),
    Wrong(
        "the old cell only through f",
        ' + da_i * params["peep_i"] + da_f * params["peep_f"]',
        "",
        "c_prev goes three ways",
    ),
    Wrong(
        "the output peephole met the old cell",
        '"peep_o": (da_o * c).sum',
        '"peep_o": (da_o * c_prev).sum',
        "the NEW cell; sum",
    ),
    Wrong(
        "not summed over the batch",
        '"peep_i": (da_i * c_prev).sum(axis=0)',
        '"peep_i": (da_i * c_prev)[0]',
        "sum over the batch",
    ),
]
