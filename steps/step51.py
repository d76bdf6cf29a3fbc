"""Step 51 · Handwritten digits.

New: the textbook's training program, on real pictures. By default scikit-learn's 1,797 small digits, which need no download; with
`--mnist` the 60,000 of MNIST.
Why: everything so far is in it, each part once: data set, loader, model, loss, backward, optimizer, accuracy. The program for the one
data set is the program for the other.
In the engine: `dlfs train 02` trains this model at four levels, on the engine among them (02_MLP/README.md).
"""

import sys

import numpy as np
from picture import plot

import dezero
import dezero.functions as F
from dezero import DataLoader
from dezero.datasets import MNIST, Digits
from dezero.models import MLP
from dezero.optimizers import Adam


def train(family, hidden_size, max_epoch, batch_size=100):
    """Accuracy on the test set after each epoch."""
    train_loader = DataLoader(family(train=True), batch_size)
    test_set = family(train=False)
    test_loader = DataLoader(test_set, batch_size, shuffle=False)
    model = MLP((hidden_size, hidden_size, 10), activation=F.relu)
    optimizer = Adam().setup(model)
    accuracies = []
    for _ in range(max_epoch):
        for x, t in train_loader:
            loss = F.softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
        with dezero.no_grad():
            hits = sum(float(F.accuracy(model(x), t).data) * len(t) for x, t in test_loader)
        accuracies.append(hits / len(test_set))
    return accuracies


def draw(axes, pictures):
    spaced = np.pad(pictures[:40, 0], ((0, 0), (1, 1), (1, 1)))  # a margin around each
    tiled = spaced.reshape(4, 10, *spaced.shape[1:]).transpose(0, 2, 1, 3)
    axes.imshow(tiled.reshape(tiled.shape[0] * tiled.shape[1], -1), cmap="gray_r", interpolation="nearest")
    axes.set_axis_off()
    axes.set_title("Forty of the digits")


if __name__ == "__main__":
    np.random.seed(0)
    mnist = "--mnist" in sys.argv
    accuracies = train(MNIST, 1000, 5) if mnist else train(Digits, 100, 12)
    for epoch, accuracy in enumerate(accuracies, 1):
        print(f"epoch {epoch}: accuracy on the test set {accuracy:.2%}")
    assert accuracies[-1] > (0.97 if mnist else 0.9) and accuracies[0] < accuracies[-1]
    plot("digits.png", lambda axes: draw(axes, Digits().data), size=(6, 2.8))
