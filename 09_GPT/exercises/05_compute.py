"""Which size of model is best for how much compute (Hoffmann et al. 2022): by their law, and from simulated runs."""

import numpy as np

E, A, B, ALPHA, BETA = 1.69, 406.4, 410.7, 0.34, 0.28


def loss(N, D):
    """The loss in nats a token of a model of N parameters after D tokens."""
    return E + A * N**-ALPHA + B * D**-BETA


def optimal(C):
    """N and D with 6 N D = C for which the loss is smallest."""
    G = (ALPHA * A / (BETA * B)) ** (1 / (ALPHA + BETA))
    N = G * (C / 6) ** (BETA / (ALPHA + BETA))
    return N, C / (6 * N)


def best_size(sizes, losses):  # (m,), (m,)
    """The size at the vertex of the parabola through losses over log N."""
    a, b, _ = np.polyfit(np.log(sizes), losses, 2)
    return np.exp(-b / (2 * a))


def exponent(budgets, sizes):  # (n,), (n,)
    """a in N = c · C^a, from the best straight line through the logarithms."""
    return np.polyfit(np.log(budgets), np.log(sizes), 1)[0]


def runs(C, rng, noise=0.002):
    """Sizes around the best one, and the losses of models of these sizes that were trained with C FLOPs."""
    sizes = optimal(C)[0] * np.geomspace(1 / 4, 4, 9)
    return sizes, loss(sizes, C / (6 * sizes)) + noise * rng.standard_normal(len(sizes))


if __name__ == "__main__":
    rng, budgets, found = np.random.default_rng(0), np.geomspace(6e18, 3e21, 9), []
    for C in budgets:
        found.append(best_size(*runs(C, rng)))
        print(f"{C:8.1e} FLOPs   best size in the valley {found[-1]:8.2e}   by the formula {optimal(C)[0]:8.2e}")
    print(f"the best size grows as C^{exponent(budgets, found):.2f}; by the formula C^{BETA / (ALPHA + BETA):.2f}")
    N, D = optimal(3.15e23)
    print(f"GPT-3: loss {loss(175e9, 300e9):.3f}; for the same compute N {N:.2e}, D {D:.2e}: {loss(N, D):.3f}")
