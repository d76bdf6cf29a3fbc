"""`dlfs gallery`: it draws every augmentation there is, of a sound of one's own too, and says what is wrong with one."""

import re

import numpy as np
import pytest
from scipy.io import wavfile

from dlfs.cli import main
from dlfs.commands import gallery
from framework.data import audio, transforms

TONE = np.sin(2 * np.pi * 300 * np.arange(3000) / 8000, dtype=np.float32)


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_:
        main(["gallery", *map(str, arguments)])
    out, err = capsys.readouterr()
    return exit_.value.code, out, err


def augmentations(module):
    """What a package's names say of themselves: what begins with Random or Rand, cuts, mixes, masks, jitters."""
    return {name for name in module.__all__ if re.search(r"Rand|Cut|Mix|Mask|Jitter|Augment|Resample", name)}


def test_every_augmentation_is_in_it():
    of_waveforms, of_spectrograms = gallery.sound_transforms(8000)
    assert {title.partition("\n")[0] for title in of_waveforms | of_spectrograms} == augmentations(audio)
    assert set(gallery.IMAGE_TRANSFORMS) == augmentations(transforms)
    for shown, package in ((gallery.IMAGE_TRANSFORMS, transforms), (of_spectrograms, audio)):
        assert all(type(t) is getattr(package, title.partition("\n")[0]) for title, t in shown.items())


def test_no_panel_looks_like_the_one_that_it_came_from():
    panels = gallery.sound_panels(TONE[None], 8000, "tone")
    first = panels[0][1]
    assert len(panels) == 10 and all(image.shape == first.shape for _, image in panels)
    assert 0 <= first.min() and first.max() == pytest.approx(gallery.SHOWN_DB, abs=1e-3)
    changed = {title.partition("\n")[0] for title, image in panels[1:] if np.abs(image - first).mean() > 0.1}
    assert len(changed) >= 7  # masks may be narrow, and half the rate holds this tone


def test_both_pictures_are_drawn_from_a_sound_of_ones_own(capsys, tmp_path):
    wavfile.write(tmp_path / "tone.wav", 8000, TONE)
    status, out, _ = run(capsys, "--sound", tmp_path / "tone.wav", "--out", tmp_path / "new")
    assert status == 0 and out.split() == [str(tmp_path / "new" / name) for name in ("image.png", "sound.png")]
    assert all((tmp_path / "new" / name).read_bytes().startswith(b"\x89PNG") for name in ("image.png", "sound.png"))


@pytest.mark.parametrize(("samples", "message"), [(TONE[:100], "lasts 0.013 s"), (None, "Expected a whole WAV file")])
def test_a_sound_that_cannot_be_shown_says_why(capsys, tmp_path, samples, message):
    path = tmp_path / "sound.wav"
    path.write_bytes(b"OggS") if samples is None else wavfile.write(path, 8000, samples)
    status, _, err = run(capsys, "--sound", path, "--out", tmp_path)
    assert status == 1 and message in err and "sound.wav" in err and not (tmp_path / "image.png").exists()


def test_without_a_network_it_says_what_works(capsys, tmp_path, monkeypatch):
    import requests

    monkeypatch.setenv("DLFS_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def offline(*args, **kwargs):
        raise requests.exceptions.ConnectionError

    monkeypatch.setattr(requests, "get", offline)
    status, _, err = run(capsys, "--out", tmp_path)
    assert status == 1 and "7_lucas_0.wav" in err and err.rstrip().endswith("Works offline: --sound FILE.wav")
