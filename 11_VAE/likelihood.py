"""How likely a trained VAE finds test images: the importance-weighted estimate of −log p(x), beside the loss, which is another quantity.

    python -m 11_VAE.likelihood RUN [--samples 100] [--images 1000]

Burda, Grosse & Salakhutdinov 2016; theory.md, section 8. Bernoulli images are binarised first: the estimate is of black and white ones.
"""

from pathlib import Path

import click
import numpy as np

from dlfs.commands.pictures import trained_level
from dlfs.results import read_run
from dlfs.studies import find_study
from utils.data_loaders import load

from .study import binarised_batch, dequantised_batch


def estimate(level, images, samples, rng):
    """The loss and the importance-weighted estimate, in nats: means over the images (N, 1, H, W)."""
    config, losses, estimates = level.model.config, [], []
    make_batch = binarised_batch if config.likelihood == "bernoulli" else dequantised_batch
    for start in range(0, len(images), 100):
        (x, eps), _ = make_batch(config, images[start : start + 100], None, rng)
        losses.append(float(level.model.loss(x, eps)) * len(x))
        noise = rng.standard_normal((samples, len(x), config.latent_size), dtype=np.float32)
        estimates.append(level.model.importance_weighted_nll(x, noise).sum())
    return sum(losses) / len(images), float(sum(estimates)) / len(images)


@click.command()
@click.argument("run", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--level", help="The level of the run whose weights are used; its first by default.")
@click.option("--samples", default=100, show_default=True, type=click.IntRange(min=1), help="k: draws of q(z|x).")
@click.option("--images", default=1000, show_default=True, type=click.IntRange(min=1), help="Of the test set.")
def main(run, level, samples, images):
    """Print the loss and the estimate of −log p(x) on the test set for a RUN of `dlfs train 11`."""
    study, facts = find_study("11"), read_run(run)
    _, recipe = study.recipe(facts["data"])
    data = load(recipe["data"])
    shown = trained_level(study, run, level or facts["levels"][0], facts["data"])
    loss, nll = estimate(shown, data.test.x[:images], samples, np.random.default_rng(0))
    kind = "binarised" if recipe["config"].likelihood == "bernoulli" else "dequantised"
    click.echo(f"{min(images, len(data.test)):,} {kind} test images of {data.name}, in nats:")
    click.echo(f"  negative ELBO, the loss        {loss:8.2f}")
    click.echo(f"  −log p(x), k = {samples:<6,} samples {nll:8.2f}")


if __name__ == "__main__":
    main()
