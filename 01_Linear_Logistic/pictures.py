"""What `dlfs pictures 01 RUN` draws of a trained model, and of the solvers on the run's data."""

import importlib

import numpy as np

from utils.visualization import confusion_matrix, decision_boundary, image_rows, lines, new_figure

from .study import LinearConfig, training_batch

solvers = importlib.import_module(f"{__package__}.numpy.solvers_numpy")
DIGITS = [str(digit) for digit in range(10)]


def rows_of(config, split):
    """The split's inputs and targets, in float64."""
    (x,), (targets,) = training_batch(config, split.x.astype(np.float64), split.y, None)
    return x, targets.astype(np.float64) if config.regression == "linear" else targets


# ----------------------------------------------------------------------------------------------- Softmax on digits


def weights(level, data):
    """Each class's weights as an image, under the mean of its digits: where ink speaks for the class, and where against it."""
    side = data.train.x.shape[-1]
    means = [data.train.x[data.train.y == digit].mean(axis=(0, 1)) for digit in range(10)]
    images = list(level.model.params["linear.weight"].reshape(10, side, side))
    title = "Weights of softmax regression: where ink speaks for the class (white), and where against it (black)"
    return image_rows(title, [("mean digit", means), ("weights", images)], [DIGITS, [""] * 10], signed=True)


def confusion(level, data):
    inputs, targets = training_batch(level.model.config, data.test.x, data.test.y, None)
    taken = level.predict(inputs, targets)[1][0].argmax(axis=1)
    wrong = int((taken != data.test.y).sum())
    return confusion_matrix(f"{wrong} of {len(taken):,} test digits are taken for another", data.test.y, taken, DIGITS)


# --------------------------------------------------------------------------------------------- Linear on diabetes


def paths(level, data):
    """How the weights of ridge and of lasso shrink as the penalty grows."""
    x, targets = rows_of(level.model.config, data.train)
    figure = new_figure(12, 4.6, "Weights of linear regression on diabetes as the penalty grows")
    panels = [("l2", "ridge: l2", np.geomspace(1e-3, 1e2, 60)), ("l1", "lasso: l1", np.geomspace(1e-1, 60, 60))]
    for axes, (name, label, strengths) in zip(figure.subplots(1, 2), panels):
        found = []
        for strength in strengths:
            model = solvers.LinearModel(LinearConfig(x.shape[1], 1, "linear", **{name: float(strength)}))
            solvers.normal_equations(model, x, targets) if name == "l2" else solvers.proximal_descent(model, x, targets)
            found.append(model.params["linear.weight"][0])
        curves = {f: (strengths[::-1], column[::-1]) for f, column in zip(data.features, np.array(found).T)}
        lines(axes, curves, f"{label} (weaker to the right)", "weight", xscale="log")
        axes.invert_xaxis()
    return figure


# -------------------------------------------------------------------------------------- Logistic on breast cancer


def boundary(level, data):
    """Logistic regression on two of the thirty measurements."""
    chosen = [data.features.index("mean radius"), data.features.index("mean concave points")]
    config = LinearConfig(2, 1, "logistic", l2=1 / len(data.train))
    x, targets = data.train.x[:, chosen].astype(np.float64), data.train.y
    model = solvers.LinearModel(config)
    solvers.newton(model, x, targets)

    def probabilities(points):
        p = solvers.sigmoid(model.forward(points))
        return np.concatenate([1 - p, p], axis=1)

    figure = new_figure(7, 5, "Logistic regression on two measurements: the boundary is a straight line")
    axes = figure.subplots()
    decision_boundary(axes, probabilities, x, targets, ["malignant", "benign"])
    axes.set(xlabel="mean radius (standardised)", ylabel="mean concave points (standardised)")
    return figure


def descent(level, data):
    """How far above its minimum the loss is, after so many steps of gradient descent and of Newton's method."""
    x, targets = rows_of(level.model.config, data.train)
    losses = {}
    for name, solve in (("gradient descent", solvers.gradient_descent), ("Newton", solvers.newton)):
        model = solvers.LinearModel(level.model.config)
        losses[name] = np.array(solve(model, x, targets, max_steps=10_000, tolerance=1e-14))
    least = min(found.min() for found in losses.values())
    curves = {}
    for name, found in losses.items():
        above = found[: np.argmax(found - least < 1e-13) or None] - least
        curves[name] = (np.arange(1, len(above) + 1), above)
    figure = new_figure(7, 4.2, "Two ways down the same loss: logistic regression on breast cancer")
    lines(figure.subplots(), curves, "step", "loss above its minimum", xscale="log", yscale="log")
    return figure


PICTURES = {
    "digits": {"weights": weights, "confusion": confusion},
    "mnist": {"weights": weights, "confusion": confusion},
    "diabetes": {"ridge-and-lasso": paths},
    "breast-cancer": {"boundary": boundary, "descent": descent},
}
