"""Ways to the minimum of a LinearModel's loss, in NumPy by hand: all at once, downhill, downhill with corners, by parabolas.

    normal_equations, least_squares     "linear", without l1: one system of linear equations
    gradient_descent                    any loss without l1
    proximal_descent                    any loss; l1 makes weights exactly 0
    newton                              any loss without l1: for "logistic", iteratively reweighted least squares

Each leaves the minimum in the model, in the dtype of x (float64, for all digits). Those that iterate return the loss before every
step. `eq. n` is equation (n) of ../theory.md. Shapes: B rows, D features, K outputs; Theta = [W, b] is (K, D + 1).
"""

from dataclasses import replace

import numpy as np

from .linear_numpy import LinearModel, sigmoid, softmax

# -------------------------------------------------------------------------------------------------- All at once


def normal_equations(model, x, targets):  # (B, D), (B, K)
    """Where the gradient is zero, solved for Theta. Squares the condition number of x: half of the digits can be lost."""
    require(model, "normal_equations", "linear", l1=False)
    X = with_ones(x)  # (B, D + 1)
    A = X.T @ X / len(X) + np.diag(ridge(model, X))  # (D + 1, D + 1)
    set_theta(model, np.linalg.solve(A, X.T @ targets / len(X)).T)  # eq. 19


def least_squares(model, x, targets):  # (B, D), (B, K)
    """The same without the product XᵀX: each ridge is one more row to be fitted, with target 0."""
    require(model, "least_squares", "linear", l1=False)
    X = with_ones(x)  # (B, D + 1)
    A = np.concatenate([X / np.sqrt(len(X)), np.diag(np.sqrt(ridge(model, X)))])  # (B + D + 1, D + 1)
    rhs = np.concatenate([targets / np.sqrt(len(X)), np.zeros((X.shape[1], targets.shape[1]), X.dtype)])
    set_theta(model, np.linalg.lstsq(A, rhs)[0].T)  # eq. 20


# ----------------------------------------------------------------------------------------------------- Downhill


def gradient_descent(model, x, targets, lr=None, max_steps=10_000, tolerance=1e-9):
    """Steps of the model's own train_step, until no element of the gradient is above tolerance. lr: by default the safe one."""
    require(model, "gradient_descent", l1=False)
    start(model, x)
    lr = safe_lr(model, x) if lr is None else lr
    losses = []
    while len(losses) < max_steps:
        losses.append(model.train_step(x, targets, lr))
        if max(np.abs(grad).max() for grad in model.grads.values()) <= tolerance:
            break
    return losses


def proximal_descent(model, x, targets, lr=None, max_steps=10_000, tolerance=1e-9):
    """ISTA: a gradient step on what is smooth, then the l1 penalty's own answer, which is to shrink every weight towards 0.

    Ends when no parameter moves by more than tolerance × lr.
    """
    start(model, x)
    lr = safe_lr(model, x) if lr is None else lr
    smooth = LinearModel(replace(model.config, l1=0.0))
    smooth.params = model.params  # the same arrays: what moves one moves the other
    weight, l1 = model.params["linear.weight"], model.config.l1
    losses = []
    while len(losses) < max_steps:
        before = {name: param.copy() for name, param in model.params.items()}
        penalty = l1 * np.abs(weight).sum()
        losses.append(smooth.train_step(x, targets, lr) + float(penalty))
        weight[...] = soft_threshold(weight, lr * l1)  # eq. 23
        if max(np.abs(param - before[name]).max() for name, param in model.params.items()) <= tolerance * lr:
            break
    return losses


def soft_threshold(w, t):
    """The v that makes ½ (v - w)² + t |v| least: w moved by t towards 0, and 0 where that would pass it."""
    return np.sign(w) * np.maximum(np.abs(w) - t, 0)  # eq. 22


def safe_lr(model, x):  # (B, D)
    """1 / the largest curvature that the loss, less its l1, has anywhere: a longer step may go uphill."""
    X = with_ones(x)  # (B, D + 1)
    largest = np.linalg.eigvalsh(X.T @ X / len(X))[-1]
    return float(1 / (CURVATURE[model.config.regression] * largest + model.config.l2))  # eq. 21


CURVATURE = {"linear": 1.0, "logistic": 0.25, "softmax": 0.5}  # the largest eigenvalue of eq. 25, whatever z is


# ------------------------------------------------------------------------------------------------- By parabolas


def newton(model, x, targets, max_steps=50, tolerance=1e-10):
    """To the minimum of the parabola that fits the loss here, again and again, until no element of the gradient is above tolerance.

    A step that leads uphill is halved. Where the Hessian is singular (softmax: all scores may be shifted alike) the shortest of
    all solutions is taken.
    """
    require(model, "newton", l1=False)
    start(model, x)
    losses = []
    while len(losses) < max_steps:
        loss = float(model.loss(x, targets))
        losses.append(loss)
        model.loss_backward()
        gradient = np.column_stack([model.grads["linear.weight"], model.grads["linear.bias"]])  # (K, D + 1)
        if np.abs(gradient).max() <= tolerance:
            break
        step = np.linalg.lstsq(hessian(model, x), gradient.ravel())[0].reshape(gradient.shape)  # (K, D + 1)
        theta, t = get_theta(model), 1.0
        set_theta(model, theta - step)  # eq. 26
        while model.loss(x, targets) > loss and t > 1e-10:
            t /= 2
            set_theta(model, theta - t * step)
    return losses


def hessian(model, x):  # (B, D)
    """The second derivatives of the loss by Theta, row after row: (K (D + 1), K (D + 1))."""
    z, X = model.forward(x), with_ones(x)  # (B, K), (B, D + 1)
    (B, K), D1 = z.shape, X.shape[1]
    xx = (X[:, :, None] * X[:, None, :]).reshape(B, -1)  # (B, (D + 1)²): x xᵀ of each row
    S = output_curvature(model.config.regression, z).reshape(B, -1)  # (B, K²)
    H = (S.T @ xx / B).reshape(K, K, D1, D1).transpose(0, 2, 1, 3).reshape(K * D1, K * D1)  # eq. 24
    return H + np.diag(np.tile(ridge(model, X), K))


def output_curvature(regression, z):  # (B, K)
    """The second derivatives of each row's loss by its z, (B, K, K): how sure the model is not."""
    if regression == "linear":
        return np.broadcast_to(np.eye(z.shape[1], dtype=z.dtype), (*z.shape, z.shape[1]))  # eq. 25, first
    if regression == "logistic":
        p = sigmoid(z)  # (B, 1)
        return (p * (1 - p))[:, :, None]  # eq. 25, second
    p = softmax(z)  # (B, K)
    return p[:, :, None] * np.eye(z.shape[1], dtype=z.dtype) - p[:, :, None] * p[:, None, :]  # eq. 25, third


# --------------------------------------------------------------------------------------------- What they share


def with_ones(x):  # (B, D)
    """x with a column of ones, whose weight is the bias: (B, D + 1)."""
    return np.column_stack([x, np.ones(len(x), dtype=x.dtype)])


def ridge(model, X):
    """What l2 adds to the curvature of each column: l2, and 0 for the bias, (D + 1,)."""
    return np.append(np.full(X.shape[1] - 1, model.config.l2, dtype=X.dtype), np.zeros(1, dtype=X.dtype))


def get_theta(model):
    return np.column_stack([model.params["linear.weight"], model.params["linear.bias"]])  # (K, D + 1)


def set_theta(model, theta):  # (K, D + 1)
    model.load_state_dict({"linear.weight": theta[:, :-1], "linear.bias": theta[:, -1]})


def start(model, x):
    """Set out from where the model is, in the dtype of x."""
    model.load_state_dict({name: param.astype(x.dtype) for name, param in model.params.items()})


def require(model, solver, regression=None, l1=True):
    """Refuse a model whose loss the solver is not for."""
    config = model.config
    if regression not in (None, config.regression):
        raise ValueError(f"{solver}: solves {regression} regression, got {config.regression}; newton takes any")
    if config.l1 and not l1:
        raise ValueError(f"{solver}: |W| has a corner at 0, got l1={config.l1:g}; use proximal_descent")
