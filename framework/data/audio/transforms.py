"""Transforms of waveforms (…, C, T) and spectrograms (…, C, F, frames), to be composed like those of images.

What torchaudio has keeps its name and arguments; a Random… draws from a range (low, high) what functional.py takes. `batch` treats each
example with random numbers of its own. Random numbers come from the engine's default generator, which DataLoader seeds for each batch.
"""

import warnings

import numpy as np

from ... import backend
from ..transforms.image import Fixed, Transform
from . import functional as F


def _range(transform, name, ends, least=-np.inf):
    """(low, high), checked."""
    try:
        low, high = ends
    except (TypeError, ValueError):
        low, high = np.nan, np.nan
    if not least < low <= high:
        above = f", above {least}" if np.isfinite(least) else ""
        raise ValueError(f"{type(transform).__name__}: {name} should be (low, high){above}, got {ends!r}")
    return low, high


class _ByBatch(Transform):
    """Base class of what is written for a batch; one example is a batch of one."""

    def apply(self, example):
        return self.batch(example[None])[0]


def _columns(values, examples):
    """One value an example, (N,), so that it broadcasts over (N, …)."""
    return values.reshape(-1, *[1] * (examples.ndim - 1))


# --- waveforms --------------------------------------------------------------------------------------------------------


class Resample(Fixed):
    def __init__(self, orig_freq=16000, new_freq=16000, *, lowpass_filter_width=6, rolloff=0.99):
        self.options = orig_freq, new_freq, lowpass_filter_width, rolloff

    def apply(self, waveform):
        return F.resample(waveform, *self.options)


class RandomGain(_ByBatch):
    """Louder or softer by a number of decibels from a range."""

    def __init__(self, gain_db=(-12.0, 6.0)):
        self.gain_db = _range(self, "gain_db", gain_db)

    def batch(self, waveforms):
        return F.gain(waveforms, _columns(backend.random().uniform(*self.gain_db, len(waveforms)), waveforms))


class RandomNoise(_ByBatch):
    """Noise at a signal-to-noise ratio from a range of decibels: white, or a random stretch of the recording `noise` (T',).

    A recording that is shorter than the waveform is repeated.
    """

    def __init__(self, snr=(5.0, 30.0), noise=None):
        self.snr, self.noise = _range(self, "snr", snr), noise

    def batch(self, waveforms):
        rng = backend.random()
        if self.noise is None:
            noise = rng.standard_normal(waveforms.shape, np.float32)
        else:
            starts = _columns(rng.integers(len(self.noise), size=len(waveforms)), waveforms)
            noise = np.take(self.noise, starts + np.arange(waveforms.shape[-1]), mode="wrap")
        return F.add_noise(waveforms, noise, _columns(rng.uniform(*self.snr, len(waveforms)), waveforms)[..., 0])


class RandomTimeShift(Transform):
    """Earlier or later by a part of the length from a range; the gap is silent, or with wrap holds what was pushed out."""

    def __init__(self, shift=(-0.25, 0.25), wrap=False):
        self.shift, self.wrap = _range(self, "shift", shift), wrap

    def apply(self, waveform):
        return F.time_shift(waveform, round(backend.random().uniform(*self.shift) * waveform.shape[-1]), self.wrap)


class RandomTimeStretch(Transform):
    """Faster (above 1) or slower by a factor from a range, at the same pitch; then cut or filled up with silence to the old length."""

    def __init__(self, rate=(0.8, 1.25), n_fft=512, hop_length=None):
        self.rate, self.options = _range(self, "rate", rate, least=0), (n_fft, hop_length)

    def apply(self, waveform):
        stretched = F.time_stretch(waveform, backend.random().uniform(*self.rate), *self.options)
        return F.fit_length(stretched, waveform.shape[-1])


class RandomPitchShift(Transform):
    """Higher or lower by a number of semitones from a range, at the same pace."""

    def __init__(self, n_steps=(-4.0, 4.0), bins_per_octave=12, n_fft=512, hop_length=None):
        self.n_steps, self.options = _range(self, "n_steps", n_steps), (bins_per_octave, n_fft, hop_length)

    def apply(self, waveform):
        return F.pitch_shift(waveform, backend.random().uniform(*self.n_steps), *self.options)


# --- spectrograms -----------------------------------------------------------------------------------------------------


class Spectrogram(Fixed):
    """|STFT|^power of a waveform, (…, n_fft // 2 + 1, 1 + T // hop_length); complex with power=None. hop_length: half of win_length."""

    def __init__(self, n_fft=400, win_length=None, hop_length=None, *, power=2.0):
        self.n_fft, self.win_length = n_fft, win_length or n_fft
        self.hop_length, self.power = hop_length or self.win_length // 2, power

    def apply(self, waveform):
        specgram = F.stft(waveform, self.n_fft, self.hop_length, self.win_length)
        return specgram if self.power is None else np.abs(specgram) ** self.power


class MelSpectrogram(Spectrogram):
    """A spectrogram's energy in n_mels bands, (…, n_mels, frames), evenly spaced on a mel scale from f_min to f_max."""

    def __init__(
        self, sample_rate=16000, n_fft=400, win_length=None, hop_length=None, f_min=0.0, f_max=None,
        *, n_mels=128, power=2.0, norm=None, mel_scale="htk",
    ):  # fmt: skip
        super().__init__(n_fft, win_length, hop_length, power=power)
        f_max = sample_rate / 2 if f_max is None else f_max
        self.banks = F.melscale_fbanks(n_fft // 2 + 1, f_min, f_max, n_mels, sample_rate, norm, mel_scale)
        empty = int((self.banks.max(0) == 0).sum())
        if empty:
            warnings.warn(
                f"MelSpectrogram: {empty} of {n_mels} bands hold none of the {len(self.banks)} frequencies and are always 0; "
                "lower n_mels or raise n_fft",
                stacklevel=2,
            )

    def apply(self, waveform):
        specgram = super().apply(waveform)
        return self.banks.T.astype(specgram.dtype) @ specgram  # (n_mels, F) (…, F, frames)


class AmplitudeToDB(Fixed):
    """Decibels: 10 log₁₀ of a power, 20 log₁₀ of a magnitude; top_db: no value lies further below its example's (C, F, frames) largest."""

    def __init__(self, stype="power", top_db=None):
        if stype not in ("power", "magnitude"):
            raise ValueError(f'AmplitudeToDB: stype should be "power" or "magnitude", got {stype!r}')
        self.multiplier, self.top_db = 10.0 if stype == "power" else 20.0, top_db

    def apply(self, specgram):
        decibels = self.multiplier * np.log10(np.maximum(specgram, specgram.dtype.type(1e-10)))
        if self.top_db is None:
            return decibels
        largest = decibels.max(tuple(range(-min(3, decibels.ndim), 0)), keepdims=True)
        return np.maximum(decibels, largest - self.top_db)


class _Masking(_ByBatch):
    """Base class of masks along one axis: its width below mask_param, then its place, uniformly (Park et al. 2019).

    p: no mask is wider than this part of the axis. mask_value: a number, or one for each example.
    """

    axis: int

    def __init__(self, mask_param, p=1.0):
        if mask_param < 0 or not 0 <= p <= 1:
            raise ValueError(f"{type(self).__name__}: expected a width from 0 and p in [0, 1], got {mask_param}, {p}")
        self.mask_param, self.p = mask_param, p

    def batch(self, specgrams, mask_value=0.0):
        rng, size = backend.random(), specgrams.shape[self.axis]
        width = rng.integers(max(1, min(self.mask_param, int(size * self.p))), size=len(specgrams))
        start = rng.integers(size - width + 1)
        start, end = (_columns(values, specgrams) for values in (start, start + width))
        places = np.arange(size).reshape(-1, *[1] * (-1 - self.axis))
        return np.where((start <= places) & (places < end), np.asarray(mask_value, specgrams.dtype), specgrams)


class TimeMasking(_Masking):
    """Fewer than time_mask_param frames in a row become 0."""

    axis = -1

    def __init__(self, time_mask_param, p=1.0):
        super().__init__(time_mask_param, p)


class FrequencyMasking(_Masking):
    """Fewer than freq_mask_param frequencies in a row become 0."""

    axis = -2

    def __init__(self, freq_mask_param):
        super().__init__(freq_mask_param)


class SpecAugment(_ByBatch):
    """Several masks in time and frequency (Park et al. 2019, without its time warp, which it found to be no major factor), filled with the mean, or with 0."""

    def __init__(
        self, n_time_masks, time_mask_param, n_freq_masks, freq_mask_param, *, p=1.0, zero_masking=False
    ):  # fmt: skip
        masks = [TimeMasking(time_mask_param, p)] * n_time_masks + [FrequencyMasking(freq_mask_param)] * n_freq_masks
        self.masks, self.zero_masking = masks, zero_masking

    def batch(self, specgrams):
        value = 0.0 if self.zero_masking else specgrams.mean(tuple(range(1, specgrams.ndim)), keepdims=True)
        for mask in self.masks:
            specgrams = mask.batch(specgrams, value)
        return specgrams
