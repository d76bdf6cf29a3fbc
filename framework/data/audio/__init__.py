"""Sound: reading WAV files, and torchaudio's transforms for arrays (…, C, T)."""

from . import functional
from .transforms import (
    AmplitudeToDB,
    FrequencyMasking,
    MelSpectrogram,
    RandomGain,
    RandomNoise,
    RandomPitchShift,
    RandomTimeShift,
    RandomTimeStretch,
    Resample,
    SpecAugment,
    Spectrogram,
    TimeMasking,
)
from .wav import read_wav

__all__ = [
    "AmplitudeToDB",
    "FrequencyMasking",
    "MelSpectrogram",
    "RandomGain",
    "RandomNoise",
    "RandomPitchShift",
    "RandomTimeShift",
    "RandomTimeStretch",
    "Resample",
    "SpecAugment",
    "Spectrogram",
    "TimeMasking",
    "functional",
    "read_wav",
]
