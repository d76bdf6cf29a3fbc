"""Operations on sound, nothing random: arrays in, new arrays out, under torchaudio's names where it has one.

A waveform is a floating-point array (…, C, T) with values in [-1, 1]; a spectrogram is (…, C, F, frames), F = n_fft // 2 + 1
frequencies from 0 to half the sample rate. Leading dimensions are treated alike. No function asks for a sample rate where a
ratio says it all.
"""

import functools
import math
from fractions import Fraction

import numpy as np

MOST_OCTAVES = 2  # of pitch_shift


def floating(name, waveform):
    """The waveform; TypeError where its values are integers, whose scale nobody knows here."""
    if waveform.dtype.kind != "f":
        raise TypeError(
            f"{name}: expected a floating-point waveform (…, T) in [-1, 1], got {waveform.dtype}; read_wav gives one"
        )
    return waveform


def fit_length(waveform, length):
    """Cut at the end to that length, or filled up with silence."""
    missing = max(length - waveform.shape[-1], 0)
    return np.pad(waveform[..., :length], [(0, 0)] * (waveform.ndim - 1) + [(0, missing)])


# --- loudness, noise, place -------------------------------------------------------------------------------------------


def gain(waveform, gain_db):
    """Louder by so many decibels: 20 dB are a factor of 10."""
    return floating("gain", waveform) * np.asarray(10 ** (np.asarray(gain_db) / 20), waveform.dtype)


def add_noise(waveform, noise, snr):
    """waveform + a · noise, with a such that the energy of the two stands at snr decibels, in each channel.

    noise: (…, T), as long as the waveform. snr: a number, or one for each leading index, (…).
    """
    if noise.shape[-1] != floating("add_noise", waveform).shape[-1]:
        raise ValueError(f"add_noise: {noise.shape[-1]} samples of noise for a waveform of {waveform.shape[-1]}")
    energy, noise_energy = ((x**2).sum(-1, keepdims=True, dtype=np.float64) for x in (waveform, noise))
    if not noise_energy.all():
        raise ValueError("add_noise: the noise is silent, and no factor brings silence to a signal-to-noise ratio")
    factor = np.sqrt(energy / noise_energy / 10 ** (np.asarray(snr)[..., None] / 10))
    return waveform + (factor * noise).astype(waveform.dtype)


def time_shift(waveform, shift, wrap=False):
    """Later by so many samples, or earlier where shift is negative. What is pushed out comes in at the other end (wrap), or silence does."""
    shifted = np.roll(waveform, shift, -1)
    if not wrap and shift:
        shifted[..., slice(0, shift) if shift > 0 else slice(shift, None)] = 0
    return shifted


# --- sample rate ------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=8)
def _sinc_kernels(orig, new, lowpass_filter_width, rolloff):
    """(new, 2 width + orig): for each of the `new` outputs of one period the weights of the inputs around it; and width.

    h(t) = f · sinc(f t) · cos²(π f t / (2 lowpass_filter_width)), t in input samples: a low-pass filter at f/2 cycles a
    sample, f = rolloff · min(1, new / orig), under a Hann window of 2 lowpass_filter_width zero crossings.
    """
    f = rolloff * min(1.0, new / orig)
    width = math.ceil(lowpass_filter_width / f)
    t = np.arange(-width, width + orig) - np.arange(new)[:, None] * orig / new
    window = np.cos(np.pi / 2 * np.clip(f * t / lowpass_filter_width, -1, 1)) ** 2
    return f * np.sinc(f * t) * window, width


def resample(waveform, orig_freq, new_freq, lowpass_filter_width=6, rolloff=0.99):
    """The same sound at another sample rate, (…, ⌈T · new_freq / orig_freq⌉): what the new rate cannot hold is filtered out.

    Smith & Gossett (1984), "A flexible sampling-rate conversion method". Polyphase: the positions of outputs among the inputs repeat
    after new_freq / gcd outputs, so a short table of kernels serves all, and no sample is computed that is then dropped.
    """
    if int(orig_freq) != orig_freq or int(new_freq) != new_freq or min(orig_freq, new_freq) <= 0:
        raise ValueError(f"resample: sample rates should be positive whole numbers, got {orig_freq} and {new_freq}")
    common = math.gcd(int(orig_freq), int(new_freq))
    orig, new = int(orig_freq) // common, int(new_freq) // common
    if orig == new:
        return waveform
    kernels, width = _sinc_kernels(orig, new, lowpass_filter_width, rolloff)
    length = math.ceil(floating("resample", waveform).shape[-1] * new / orig)
    padded = np.pad(waveform, [(0, 0)] * (waveform.ndim - 1) + [(width, width + orig)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernels.shape[1], -1)[..., ::orig, :]
    resampled = np.ascontiguousarray(windows) @ kernels.T.astype(waveform.dtype)  # (…, periods, new)
    return resampled.reshape(*waveform.shape[:-1], -1)[..., :length]


# --- spectrograms -----------------------------------------------------------------------------------------------------


def _window(n_fft, win_length, dtype):
    """A periodic Hann window of win_length in the middle of n_fft places."""
    if not 0 < win_length <= n_fft:
        raise ValueError(f"stft: win_length should lie between 1 and n_fft = {n_fft}, got {win_length}")
    before = (n_fft - win_length) // 2
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(win_length) / win_length)
    return np.pad(window, (before, n_fft - win_length - before)).astype(dtype)


def stft(waveform, n_fft, hop_length=None, win_length=None):
    """Complex spectrogram (…, F, 1 + T // hop_length): torch.stft with a Hann window, the waveform reflected at its ends.

    hop_length: a quarter of n_fft by default, as there; win_length: n_fft.
    """
    hop_length, win_length = hop_length or n_fft // 4, win_length or n_fft
    half = n_fft // 2
    if floating("stft", waveform).shape[-1] <= half:
        raise ValueError(
            f"stft: a waveform of {waveform.shape[-1]} samples is too short for n_fft={n_fft}: it takes {half + 1}"
        )
    padded = np.pad(waveform, [(0, 0)] * (waveform.ndim - 1) + [(half, half)], "reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft, -1)[..., ::hop_length, :]  # (…, frames, n_fft)
    return np.fft.rfft(frames * _window(n_fft, win_length, waveform.dtype)).swapaxes(-1, -2)


def istft(specgram, n_fft, hop_length=None, win_length=None, length=None):
    """The waveform (…, length) whose stft is nearest to the spectrogram (Griffin & Lim 1984): overlapping windows added, over their squares."""
    hop_length, win_length = hop_length or n_fft // 4, win_length or n_fft
    frames = np.fft.irfft(specgram.swapaxes(-1, -2), n_fft)  # (…, frames, n_fft)
    window = _window(n_fft, win_length, frames.dtype)
    total = _overlap_add(frames * window, hop_length)
    weight = _overlap_add(np.broadcast_to(window**2, frames.shape[-2:]), hop_length)
    half = n_fft // 2
    waveform = (total / np.where(weight > 1e-11, weight, 1))[..., half:]
    end = (frames.shape[-2] - 1) * hop_length + n_fft - 2 * half
    return waveform[..., :end] if length is None else fit_length(waveform[..., : end + half], length)


def _overlap_add(frames, hop_length):
    """Frames (…, N, n) at every hop_length-th place, added: (…, (N + ⌈n / hop⌉ - 1) · hop). One slab a hop, not one a frame."""
    *leading, count, n = frames.shape
    slabs = -(-n // hop_length)
    frames = fit_length(frames, slabs * hop_length).reshape(*leading, count, slabs, hop_length)
    total = np.zeros((*leading, count + slabs - 1, hop_length), frames.dtype)
    for slab in range(slabs):
        total[..., slab : slab + count, :] += frames[..., slab, :]
    return total.reshape(*leading, -1)


def hz_to_mel(freq, mel_scale="htk"):
    """Hertz on a scale of perceived pitch. "htk": 2595 log₁₀(1 + f / 700). "slaney": linear to 1000 Hz, 27 steps a factor of 6.4 above."""
    freq = np.asarray(freq, np.float64)
    if mel_scale == "htk":
        return 2595 * np.log10(1 + freq / 700)
    if mel_scale != "slaney":
        raise ValueError(f'mel_scale should be "htk" or "slaney", got {mel_scale!r}')
    return np.where(freq < 1000, freq * 3 / 200, 15 + 27 * np.log(np.maximum(freq, 1000) / 1000) / math.log(6.4))


def mel_to_hz(mels, mel_scale="htk"):
    """The inverse of `hz_to_mel`."""
    mels = np.asarray(mels, np.float64)
    if mel_scale == "htk":
        return 700 * (10 ** (mels / 2595) - 1)
    return np.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((np.maximum(mels, 15) - 15) / 27))


def melscale_fbanks(n_freqs, f_min, f_max, n_mels, sample_rate, norm=None, mel_scale="htk"):
    """(n_freqs, n_mels): triangles whose corners lie evenly on the mel scale, each from its neighbour's peak to the next one's.

    norm="slaney" divides each by half its width in hertz, so that all have one area.
    """
    if not 0 <= f_min < f_max:
        raise ValueError(f"melscale_fbanks: f_min should be below f_max, got {f_min} and {f_max}")
    if norm not in (None, "slaney"):
        raise ValueError(f'melscale_fbanks: norm should be None or "slaney", got {norm!r}')
    corners = mel_to_hz(np.linspace(*hz_to_mel([f_min, f_max], mel_scale), n_mels + 2), mel_scale)
    low, peak, high = corners[:-2], corners[1:-1], corners[2:]
    freqs = np.linspace(0, sample_rate / 2, n_freqs)[:, None]
    banks = np.maximum(0, np.minimum((freqs - low) / (peak - low), (high - freqs) / (high - peak)))
    return banks * 2 / (high - low) if norm else banks


# --- time and pitch ---------------------------------------------------------------------------------------------------


def phase_vocoder(specgram, rate, hop_length):
    """The spectrogram read at `rate` times its pace, (…, F, ⌈frames / rate⌉), each frequency turning on as fast as before.

    Flanagan & Golden 1966. Between two frames bin k should turn by ω_k · hop_length; the rest, taken into [-π, π], says how far the tone in
    it lies off the bin's middle. Magnitudes are interpolated, turns are summed: at the peaks of a frame alone, and the bins around a peak
    keep the phase that they had beside it (identity phase locking, Laroche & Dolson 1999). Were each bin to sum for itself, those of
    one tone would drift apart and cancel: a sine can lose nine tenths of its amplitude.
    """
    if rate <= 0:
        raise ValueError(f"phase_vocoder: rate should be positive, got {rate}")
    frames = specgram.swapaxes(-1, -2)  # (…, frames, F)
    expected = np.linspace(0, np.pi * hop_length, frames.shape[-1])  # float64: the sum goes over many turns
    times = np.arange(0, frames.shape[-2], rate)
    first = times.astype(np.int64)
    padded = np.pad(frames, [(0, 0)] * (frames.ndim - 2) + [(0, 1), (0, 0)])
    here, there = padded[..., first, :], padded[..., first + 1, :]
    before = np.angle(here)
    rest = np.angle(there) - before - expected
    turns = expected + rest - 2 * np.pi * np.rint(rest / (2 * np.pi))
    peaks = _nearest_peak(np.abs(here))
    beside = before - np.take_along_axis(before, peaks, -1)
    phase = np.empty_like(turns)
    turning = before[..., 0, :]
    for t in range(len(times)):
        phase[..., t, :] = np.take_along_axis(turning, peaks[..., t, :], -1) + beside[..., t, :]
        turning = phase[..., t, :] + turns[..., t, :]
    magnitude = np.abs(here) + (times - first)[:, None] * (np.abs(there) - np.abs(here))
    return (magnitude * np.exp(1j * phase)).astype(specgram.dtype).swapaxes(-1, -2)


def _nearest_peak(magnitude):
    """For each bin of (…, F) the nearest that is as large as its two neighbours on both sides."""
    bins = np.arange(magnitude.shape[-1])
    around = np.pad(magnitude, [(0, 0)] * (magnitude.ndim - 1) + [(2, 2)])
    is_peak = magnitude >= np.lib.stride_tricks.sliding_window_view(around, 5, -1).max(-1)
    below = np.maximum.accumulate(np.where(is_peak, bins, -len(bins)), -1)
    above = np.minimum.accumulate(np.where(is_peak, bins, 2 * len(bins))[..., ::-1], -1)[..., ::-1]
    return np.where(bins - below <= above - bins, below, above)


def time_stretch(waveform, rate, n_fft=512, hop_length=None):
    """`rate` times as fast at the same pitch: (…, round(T / rate))."""
    hop_length = hop_length or n_fft // 4
    stretched = phase_vocoder(stft(waveform, n_fft, hop_length), rate, hop_length)
    return istft(stretched, n_fft, hop_length, length=round(waveform.shape[-1] / rate))


def pitch_shift(waveform, n_steps, bins_per_octave=12, n_fft=512, hop_length=None):
    """Higher by n_steps of an octave's bins_per_octave, as long as before: stretched in time, then played faster.

    The factor 2^(n_steps / bins_per_octave) is taken as a fraction with a denominator up to 512, which is right to 1.7 cents.
    """
    if abs(n_steps) > MOST_OCTAVES * bins_per_octave:
        raise ValueError(
            f"pitch_shift: n_steps={n_steps} is more than {MOST_OCTAVES} octaves of {bins_per_octave} steps"
        )
    factor = Fraction(2 ** (n_steps / bins_per_octave)).limit_denominator(512)
    stretched = time_stretch(waveform, float(1 / factor), n_fft, hop_length)
    return fit_length(resample(stretched, factor.numerator, factor.denominator), waveform.shape[-1])
