"""dlfs gallery"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

import framework
from framework.data import audio, transforms
from utils.data_loaders import WORKS_OFFLINE, check_hash, find
from utils.errors import DLFSError
from utils.visualization import as_pixels, new_figure, save

SOUND_FOLDER, SOUND_FILE = (
    "free-spoken-digit-dataset/recordings",
    "7_lucas_0.wav",
)  # "seven", said by Lucas; CC BY-SA 4.0
SOUND_URL = f"https://raw.githubusercontent.com/Jakobovski/free-spoken-digit-dataset/v1.0.10/recordings/{SOUND_FILE}"
SOUND_SHA256 = "d3dbe5d28532c1ba3a47b099477a9e0bc9697017b1d1d4458091fe54be014ee1"
SHOWN_DB = 60  # what is softer than the loudest by more than this is white

Panel = tuple[str, np.ndarray]


@click.command("gallery")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("runs/gallery"), show_default=True
)
@click.option(
    "--sound",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A WAV file of a second or two; by default a spoken “seven”, which is fetched (11 kB).",
)
@click.option("--seed", default=0, show_default=True, help="For another draw of what is random.")
def command(out: Path, sound: Path | None, seed: int) -> None:
    """Draw every augmentation of framework.data, on a photograph (image.png) and on a sound (sound.png)."""
    name = f"“{sound.stem}”" if sound else "the word “seven”"
    waveform, sample_rate = read(sound or spoken_seven())
    framework.manual_seed(seed)
    save(out / "image.png", lambda: draw(image_panels(*photographs()), 1.24, dict(interpolation="nearest")))
    click.echo(out / "image.png")
    framework.manual_seed(seed)
    save(out / "sound.png", lambda: draw_sound(sound_panels(waveform, sample_rate, name), waveform, sample_rate))
    click.echo(out / "sound.png")


# --- images -----------------------------------------------------------------------------------------------------------


def photographs() -> tuple[np.ndarray, np.ndarray]:
    """The two that scikit-learn brings, a temple and a flower, (3, 120, 180) uint8."""
    from sklearn.datasets import load_sample_image

    prepare = transforms.Compose([transforms.ToImage(), transforms.Resize((120, 180))])
    return prepare(load_sample_image("china.jpg")), prepare(load_sample_image("flower.jpg"))


IMAGE_TRANSFORMS: dict[str, Callable] = {
    "RandomCrop": transforms.RandomCrop((80, 120)),
    "RandomResizedCrop": transforms.RandomResizedCrop((120, 180), scale=(0.2, 0.5)),
    "RandomHorizontalFlip": transforms.RandomHorizontalFlip(p=1.0),
    "RandomVerticalFlip": transforms.RandomVerticalFlip(p=1.0),
    "RandomRotation": transforms.RandomRotation((15, 30), "bilinear"),
    "RandomAffine": transforms.RandomAffine(15, (0.1, 0.1), (0.7, 0.9), 20, "bilinear"),
    "ColorJitter": transforms.ColorJitter(0.4, 0.4, 0.4, 0.2),
    "RandomErasing": transforms.RandomErasing(p=1.0, scale=(0.1, 0.3)),
    "Cutout": transforms.Cutout(50),
    "RandAugment": transforms.RandAugment(num_ops=2, magnitude=15),
    "MixUp": transforms.MixUp(alpha=5.0, num_classes=2),
    "CutMix": transforms.CutMix(alpha=5.0, num_classes=2),
}


def image_panels(photo: np.ndarray, other: np.ndarray) -> list[Panel]:
    """Two photographs (3, H, W) uint8, and what each transform makes of the first; what mixes takes the second to it."""
    panels = [("a photograph", photo), ("another", other)]
    both = transforms.ToDtype(scale=True)(np.stack([photo, other]))
    for name, transform in IMAGE_TRANSFORMS.items():
        if isinstance(transform, transforms.MixUp | transforms.CutMix):
            mixed, labels = transform(both, np.array([0, 1]))
            panels.append((f"{name}: {labels[0, 0]:.2f}, {labels[0, 1]:.2f}", mixed[0]))
        else:
            panels.append((name, transform(photo)))
        if name == "RandAugment":
            panels.append((f"{name}, again", transform(photo)))
    return [(title, as_pixels(image)) for title, image in panels]


# --- sound ------------------------------------------------------------------------------------------------------------


def spoken_seven() -> Path:
    """The recording of the spoken digits that is shown where no other is given: in DLFS_DATA or the cache, else fetched."""
    try:
        path = find(SOUND_FOLDER, SOUND_FILE, url=SOUND_URL, sha256=SOUND_SHA256)
        check_hash(path, SOUND_SHA256)
    except DLFSError as error:
        raise DLFSError(str(error).replace(WORKS_OFFLINE, "Works offline: --sound FILE.wav")) from None
    return path


def read(path: Path) -> tuple[np.ndarray, int]:
    """A WAV file's channels together, (1, T), and its sample rate."""
    try:
        waveform, sample_rate = audio.read_wav(path)
    except ValueError as error:
        raise DLFSError(str(error)) from None
    if waveform.shape[-1] < sample_rate / 10:
        raise DLFSError(f"{path} lasts {waveform.shape[-1] / sample_rate:.3f} s; give a sound of a second or two")
    return waveform.mean(0, keepdims=True), sample_rate


def to_n_fft(sample_rate: int) -> int:
    """The power of two nearest to 64 ms: long enough to tell a voice's harmonics apart."""
    return int(2 ** round(math.log2(0.064 * sample_rate)))


def sound_transforms(sample_rate: int) -> tuple[dict[str, Callable], dict[str, Callable]]:
    """By name those of waveforms, and those of spectrograms; with the strength that the picture's captions tell."""
    n_fft = to_n_fft(sample_rate)
    halves = [audio.Resample(sample_rate, sample_rate // 2), audio.Resample(sample_rate // 2, sample_rate)]
    of_waveforms: dict[str, Callable] = {
        "Resample\nto half the rate and back": transforms.Compose(halves),
        "RandomGain\n−20 dB": audio.RandomGain((-20, -20)),
        "RandomNoise\nat 10 dB": audio.RandomNoise((10, 10)),
        "RandomTimeShift\n20 % earlier": audio.RandomTimeShift((-0.2, -0.2)),
        "RandomTimeStretch\n1.5 × as fast": audio.RandomTimeStretch((1.5, 1.5), n_fft),
        "RandomPitchShift\nup by 7 semitones": audio.RandomPitchShift((7, 7), n_fft=n_fft),
    }
    of_spectrograms: dict[str, Callable] = {
        "FrequencyMasking\nbelow 20 bands": audio.FrequencyMasking(20),
        "TimeMasking\nbelow 40 frames": audio.TimeMasking(40),
        "SpecAugment\ntwo masks each way": audio.SpecAugment(2, 25, 2, 12),
    }
    return of_waveforms, of_spectrograms


def sound_panels(waveform: np.ndarray, sample_rate: int, name: str) -> list[Panel]:
    """Spectrograms (n_mels, frames), in decibels above what is still shown: of the sound (1, T) and of all that becomes of it."""
    n_fft, hop = to_n_fft(sample_rate), sample_rate // 200
    mel = audio.MelSpectrogram(sample_rate, n_fft, n_fft // 2, hop, n_mels=64, norm="slaney", mel_scale="slaney")
    decibels = transforms.Compose([mel, audio.AmplitudeToDB()])
    floor = decibels(waveform).max() - SHOWN_DB

    def spectrogram(waveform: np.ndarray) -> np.ndarray:
        return np.maximum(decibels(waveform) - floor, 0)

    of_waveforms, of_spectrograms = sound_transforms(sample_rate)
    plain = spectrogram(waveform)
    panels = [(name, plain)]
    panels += [(title, spectrogram(transform(waveform))) for title, transform in of_waveforms.items()]
    panels += [(title, transform(plain)) for title, transform in of_spectrograms.items()]
    return [(title, image[0]) for title, image in panels]


# --- drawing ----------------------------------------------------------------------------------------------------------


def draw(panels: Sequence[Panel], height: float, options: dict[str, Any]) -> Any:
    """A Figure of all panels, five in a row, each `height` inches high."""
    rows = -(-len(panels) // 5)
    figure = new_figure(7.75, height * rows, "")
    for axes, (title, image) in zip(figure.subplots(rows, 5, squeeze=False).flat, panels):
        axes.imshow(image, **options)
        axes.set_title(title, fontsize=7.5)
        axes.set(xticks=[], yticks=[])
        axes.grid(False)
        axes.spines[:].set(visible=True, linewidth=0.4)
    return figure


def draw_sound(panels: Sequence[Panel], waveform: np.ndarray, sample_rate: int) -> Any:
    """A Figure of all spectrograms, dark where loud; the first has the scales."""
    figure = draw(panels, 1.7, dict(origin="lower", aspect="auto", cmap="Greys", vmin=0, vmax=SHOWN_DB))
    first = figure.axes[0]
    hertz = [500, 1000, 2000, sample_rate // 4 * 2]
    mels = audio.functional.hz_to_mel([*hertz, sample_rate / 2], "slaney")
    bands = len(panels[0][1])
    first.set_yticks(mels[:-1] / mels[-1] * bands - 0.5, [f"{f / 1000:g}" for f in hertz], fontsize=7)
    first.set_ylabel("kHz", fontsize=7)
    seconds = np.arange(0, waveform.shape[-1] / sample_rate, 0.2 if waveform.shape[-1] < 2 * sample_rate else 1)
    first.set_xticks(seconds * 200, [f"{second:.1g}" for second in seconds], fontsize=7)
    first.set_xlabel("s", fontsize=7, labelpad=0)
    return figure
