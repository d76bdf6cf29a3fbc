"""Reading WAV files: PCM of any width, and floating point."""

import struct
import warnings

import numpy as np


def read_wav(path):
    """(waveform, sample_rate) of a WAV file: (C, T) float32 in [-1, 1], as torchaudio.load gives it.

    PCM of 8, 16, 24 or 32 bits is divided by its largest magnitude. ValueError names what is wrong: no WAV file, a codec other
    than PCM and floating point, a file that is cut short or holds no sample.
    """
    from scipy.io import wavfile  # here, so that framework.data needs NumPy alone

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks with a title or a comment
            warnings.filterwarnings("error", "Reached EOF", wavfile.WavFileWarning)
            sample_rate, samples = wavfile.read(path)
    except (ValueError, EOFError, struct.error, wavfile.WavFileWarning) as error:
        raise ValueError(
            f"read_wav: {path}: {str(error).rstrip('.')}. Expected a whole WAV file, PCM or floating point; "
            f"ffmpeg -i IN OUT.wav makes one of most others"
        ) from None
    if not samples.size:
        raise ValueError(f"read_wav: {path} holds no sample")
    waveform = samples.reshape(len(samples), -1).T  # (T,) or (T, C) → (C, T)
    if waveform.dtype == np.uint8:  # 8 bits are unsigned, 128 is silence
        waveform = (waveform.astype(np.float32) - 128) / 128
    elif waveform.dtype.kind == "i":  # 24 bits come in the upper part of 32
        waveform = waveform / -float(np.iinfo(waveform.dtype).min)
    return np.ascontiguousarray(waveform, np.float32), sample_rate
