"""dlfs profile"""

import click

from dlfs.commands.graph import example_loss


@click.command("profile")
@click.argument("model")
@click.option("--variant", help="One of the model's named configs; the first by default.")
@click.option("--steps", default=20, show_default=True, type=click.IntRange(min=1), help="Forward and backward passes.")
def command(model: str, variant: str | None, steps: int) -> None:
    """Show which op of MODEL takes what on the engine: time forward and backward, and bytes of results."""
    from framework.profiler import profile

    loss, level = example_loss(model, variant)

    def step() -> None:
        for parameter in level.parameters().values():
            parameter.grad = None
        loss().backward()

    step()
    with profile() as measured:
        for _ in range(steps):
            step()
    click.echo(measured.table())
