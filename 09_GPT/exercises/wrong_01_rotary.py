from dlfs.exercises import Wrong

WRONG = [
    Wrong("the pair's number without its two", "base ** (-np.arange(0, D, 2) / D)", "base ** (-np.arange(D // 2) / D)", "-2 i / D"),
    Wrong("frequencies that grow", "base ** (-np", "base ** (np", "almost none"),
    Wrong("clockwise", "np.cos(theta), np.sin(theta)", "np.cos(theta), -np.sin(theta)", "anticlockwise"),
    Wrong("halves for pairs, as Llama's code has them", "x[..., 0::2], x[..., 1::2]  #", "np.split(x, 2, axis=-1)  #", "0 and 1, 2 and 3"),
    Wrong("in place", "np.empty_like(x)", "x", "new array"),
    Wrong("positions from 0", "theta = angles(positions,", "theta = angles(np.arange(len(positions)),", "own position"),
    Wrong("the gradient is turned on", "rotate(dy, -positions, base)", "rotate(dy, positions, base)", "turns back"),
    Wrong("the base is forgotten", "rotate(dy, -positions, base)", "rotate(dy, -positions)", "the negative angle"),
]  # fmt: skip
