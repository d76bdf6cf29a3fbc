"""Our solvers against scikit-learn's estimators: the same data, the same penalty, the same coefficients?

    python -m 01_Linear_Logistic.against_sklearn            # the table; fails where a coefficient differs by more than 1e-6
    python -m 01_Linear_Logistic.against_sklearn --write    # puts it in README.md
    python -m 01_Linear_Logistic.against_sklearn --check    # fails if README.md shows something else

Each estimator has a scale of its own for its penalty. With n rows, and our losses being means over the rows:

    Ridge(alpha)                 ‖y - z‖² + alpha ‖w‖²                 l2 = alpha / n
    Lasso(alpha)                 ‖y - z‖² / 2n + alpha ‖w‖₁            l1 = alpha
    LogisticRegression(C)        C Σ loss + ½ ‖w‖²                      l2 = 1 / (C n)
"""

import importlib
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from utils.data_loaders import load
from utils.errors import DLFSError
from utils.files import write_atomically

from .study import LinearConfig, logistic_accuracy, rmse, training_batch

solvers = importlib.import_module(f"{__package__}.numpy.solvers_numpy")

BOUND = 1e-6  # of the largest coefficient
README, BEGIN, END = Path(__file__).with_name("README.md"), "<!-- against sklearn -->\n", "<!-- /against sklearn -->"
HEAD = ("data", "scikit-learn", "by hand", "steps", "coefficients differ by", "on the test set")


class Case(NamedTuple):
    data: str
    estimator: str  # a class of sklearn.linear_model, called with
    options: dict
    config: LinearConfig
    solvers: tuple[str, ...]


def cases():
    """What is compared; n is how many rows the training split of a set has."""
    diabetes, cancer, digits = (len(load(name).train) for name in ("diabetes", "breast-cancer", "digits"))
    exact = dict(tol=1e-10, max_iter=100_000)  # scikit-learn's own default stops two or three digits in
    logistic = dict(C=1.0, solver="newton-cholesky", **exact)
    return [
        Case(
            "diabetes", "LinearRegression", {}, LinearConfig(10, 1, "linear"),
            ("normal_equations", "least_squares", "gradient_descent", "newton"),
        ),
        Case(
            "diabetes", "Ridge", dict(alpha=10.0), LinearConfig(10, 1, "linear", l2=10 / diabetes),
            ("normal_equations", "least_squares", "gradient_descent", "newton"),
        ),
        Case(
            "diabetes", "Lasso", dict(alpha=2.0, **exact), LinearConfig(10, 1, "linear", l1=2.0), ("proximal_descent",)
        ),
        Case(
            "breast-cancer", "LogisticRegression", logistic, LinearConfig(30, 1, "logistic", l2=1 / cancer),
            ("gradient_descent", "newton"),
        ),
        Case("digits", "LogisticRegression", logistic, LinearConfig(64, 10, "softmax", l2=1 / digits), ("newton",)),
    ]  # fmt: skip


def compare(case):
    """For each solver (its name, its steps, the largest difference of a coefficient over the largest coefficient, the trained model)."""
    import sklearn.linear_model

    train = load(case.data).train
    (x,), (targets,) = training_batch(case.config, train.x.astype(np.float64), train.y, None)
    if case.config.regression == "linear":
        targets = targets.astype(np.float64)
    estimator = getattr(sklearn.linear_model, case.estimator)(**case.options).fit(x, targets.squeeze())
    expected = np.column_stack([np.atleast_2d(estimator.coef_), np.atleast_1d(estimator.intercept_)])  # (K, D + 1)
    for name in case.solvers:
        model = solvers.LinearModel(case.config)
        options = dict(max_steps=100_000, tolerance=1e-10) if name.endswith("descent") else {}
        losses = getattr(solvers, name)(model, x, targets, **options)
        yield name, losses, float(np.abs(solvers.get_theta(model) - expected).max() / np.abs(expected).max()), model


def test_figure(case, model):
    """The model's error or accuracy on the test split, in words."""
    test = load(case.data).test
    (x,), (targets,) = training_batch(case.config, test.x.astype(np.float64), test.y, None)
    z = model.forward(x)
    if case.config.regression == "linear":
        return f"rmse {rmse((z,), targets):.2f}"
    right = (
        logistic_accuracy((z,), targets) if case.config.regression == "logistic" else (z.argmax(1) == targets).mean()
    )
    return f"{100 * right:.2f} %"


def rows():
    """The lines of the table, and the largest difference in it."""
    lines, worst = [], 0.0
    for case in cases():
        shown = {name: value for name, value in case.options.items() if name in ("alpha", "C")}
        estimator = f"`{case.estimator}({', '.join(f'{name}={value:g}' for name, value in shown.items())})`"
        for name, losses, difference, model in compare(case):
            steps = (
                str(len(losses) - (name == "newton")) if losses else ""
            )  # newton's last loss is of the minimum itself
            bound = next(bound for bound in (1e-12, 1e-9, 1e-6, np.inf) if difference < bound)  # alike on every machine
            found = f"< {bound:.0e}" if bound < np.inf else f"{difference:.0e}"
            lines.append((case.data, estimator, f"`{name}`", steps, found, test_figure(case, model)))
            worst = max(worst, difference)
    return lines, worst


def markdown(lines):
    table = "".join(f"| {' | '.join(line)} |\n" for line in [HEAD, ["---"] * len(HEAD), *lines])
    return f"{table}\nWritten by `python -m 01_Linear_Logistic.against_sklearn --write`.\n"


@click.command(help=__doc__.split("\n")[0])
@click.option("--write", is_flag=True, help="Put the table in README.md.")
@click.option("--check", is_flag=True, help="Fail if README.md shows another table.")
def main(write, check):
    lines, worst = rows()
    for line in [HEAD, *lines]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, (13, 30, 18, 6, 22, 0))).replace("`", ""))
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    renewed = before + BEGIN + markdown(lines) + END + rest.split(END)[1]
    if write:
        write_atomically(README, renewed)
    if check and text != renewed:
        raise DLFSError(f"{README} shows another table: python -m 01_Linear_Logistic.against_sklearn --write")
    if worst > BOUND:
        raise DLFSError(
            f"a coefficient differs from scikit-learn's by {worst:.0e} of the largest, more than {BOUND:.0e}"
        )


if __name__ == "__main__":
    try:
        main()
    except DLFSError as error:
        raise SystemExit(str(error)) from None
