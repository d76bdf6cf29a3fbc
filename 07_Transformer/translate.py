"""What a run of `dlfs train 07` has learnt to translate: your own sentences, or the whole test set with its score.

python -m 07_Transformer.translate RUN "Zwei Hunde spielen im Schnee ."     # by beam search
python -m 07_Transformer.translate RUN --greedy                             # the test set: BLEU, or the share that is exact
python -m 07_Transformer.translate RUN --beam 10 --alpha 1.0 --show 20
"""

from pathlib import Path

import click
import numpy as np

from dlfs.levels import Level, build_level
from dlfs.results import read_run, trained_weights
from dlfs.studies import find_study
from utils.data_loaders import load
from utils.errors import DLFSError

from .scores import bleu_of, references, sacrebleu, translations

STUDY = find_study("07")


@click.command()
@click.argument("run", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.argument("sentences", nargs=-1)
@click.option("--level", help="The level of the run that translates; its first by default.")
@click.option("--greedy", is_flag=True, help="Always the likeliest next token, instead of beam search.")
@click.option("--beam", type=click.IntRange(min=1), default=4, show_default=True, help="How many beams.")
@click.option("--alpha", type=click.FloatRange(min=0), default=0.6, show_default=True, help="Of the length penalty.")
@click.option("--show", type=click.IntRange(min=0), default=5, show_default=True, help="So many of the test set.")
def command(
    run: Path, sentences: tuple[str, ...], level: str | None, greedy: bool, beam: int, alpha: float, show: int
) -> None:
    """Translate SENTENCES, or the test set, with the weights of a RUN."""
    try:
        facts = read_run(run)
        if facts["model"] != STUDY.folder.name:
            raise DLFSError(f"{run} holds a run of {facts['model']}, not of {STUDY.folder.name}")
        if not sentences and facts["data"] != "dates":
            sacrebleu()  # better missed now than after the search
        data = load(facts["data"])
        shown = trained(run, level or facts["levels"][0], facts["data"])
        beams = 1 if greedy else beam
        if sentences:
            for sentence in sentences:
                click.echo(translated(shown, data, sentence, beams, alpha))
            return
        texts = translations(shown, data, beams, alpha)
    except DLFSError as error:
        raise click.ClickException(str(error)) from None
    wanted, sources = references(data), [data.decode(row) for row in data.test.x]
    for source, text, reference in list(zip(sources, texts, wanted))[:show]:
        click.echo(f"  source    {source}\n  model     {text}\n  reference {reference}\n")
    search = "greedy search" if beams == 1 else f"{beams} beams, length penalty {alpha:g}"
    if facts["data"] == "dates":
        exact = np.mean([text == reference for text, reference in zip(texts, wanted)])
        click.echo(f"{len(texts):,} dates, {search}: {100 * exact:.2f} % exact")
    else:
        click.echo(f"{len(texts):,} sentences, {search}: {bleu_of(texts, data)}")


def trained(run: Path, level: str, data: str) -> Level:
    """The level with the weights that its run came to."""
    shown = build_level(STUDY, level, STUDY.recipe(data)[1]["config"])
    shown.load_state(trained_weights(run, level))
    shown.train(False)
    return shown


def translated(level: Level, data, sentence: str, beams: int, alpha: float) -> str:
    """One sentence; a character that the data set does not know is an error that names it."""
    try:
        tokens = data.encode(sentence)
    except KeyError as error:
        raise DLFSError(f"{sentence!r} cannot be read: {error.args[0]}") from None
    if not tokens:
        raise DLFSError("a sentence has at least one character")
    src = level.tensor(np.array([tokens]))  # (1, S)
    found = level.model.greedy(src) if beams == 1 else level.model.beam_search(src, beams, alpha)
    return data.decode(found[0])


if __name__ == "__main__":
    command()
