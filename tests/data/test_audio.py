"""Sound: against scipy.signal, torch.stft and transformers' mel filters, and against what theory says of a sine."""

import math
import struct
import wave

import numpy as np
import pytest
import torch
from scipy import signal, stats
from scipy.io import wavfile
from transformers import audio_utils

from framework import backend
from framework.data import audio
from framework.data.audio import functional as F
from framework.data.transforms import Compose
from framework.tensor import Tensor

RATE = 8000


@pytest.fixture(autouse=True)
def seed():
    backend.manual_seed(0)


def sine(frequency, seconds=1.0, rate=RATE, amplitude=0.5, dtype=np.float64):
    return (amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(dtype)


def noise(*shape, dtype=np.float64):
    return np.random.default_rng(1).standard_normal(shape).astype(dtype)


def tone_in(waveform, rate=RATE):
    """(frequency, amplitude, what part of the energy is not this tone), by least squares, the tenth at each end left out."""
    edge = len(waveform) // 10
    middle = waveform[edge:-edge]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 16 * len(middle)))
    peak = int(spectrum.argmax())
    left, top, right = np.log(spectrum[peak - 1 : peak + 2])
    frequency = (peak + 0.5 * (left - right) / (left - 2 * top + right)) * rate / (16 * len(middle))
    angle = 2 * np.pi * frequency * np.arange(len(middle)) / rate
    basis = np.stack([np.sin(angle), np.cos(angle)], 1)
    (a, b), *_ = np.linalg.lstsq(basis, middle, rcond=None)
    return frequency, math.hypot(a, b), ((middle - basis @ (a, b)) ** 2).sum() / (middle**2).sum()


# --- sample rate ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("orig", "new"), [(8000, 16000), (16000, 8000), (44100, 16000), (3, 2), (48000, 44100)])
def test_resample_is_scipy_s_polyphase_filter_with_the_same_impulse_response(orig, new):
    """upfirdn inserts zeros and filters at the common multiple of both rates: here the windowed sinc is sampled there."""
    up, down = new // math.gcd(orig, new), orig // math.gcd(orig, new)
    cutoff = 0.99 * min(up, down)  # half-cycles a period of the common rate up · down
    reach = math.ceil(6 * up * down / cutoff)
    t = np.arange(-reach, reach + 1) / (up * down) * cutoff  # in zero crossings
    h = np.sinc(t) * np.where(np.abs(t) < 6, np.cos(np.pi * t / 12), 0) ** 2 * cutoff / (up * down)
    x = noise(2, 900)
    ours = F.resample(x, orig, new)
    theirs = signal.resample_poly(x, up, down, axis=-1, window=h)  # which scales h by up, for the zeros
    assert ours.shape == (2, math.ceil(900 * new / orig)) == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("new", [4000, 11025, 16000, 22050])
def test_a_resampled_sine_is_the_same_sine_at_the_new_rate(new):
    expected = sine(440, rate=new)
    resampled = F.resample(sine(440), RATE, new)
    np.testing.assert_allclose(resampled[200:-200], expected[200:-200], atol=1e-3)


def test_what_the_new_rate_cannot_hold_is_gone_and_does_not_fold_down():
    resampled = F.resample(sine(3000), RATE, 4000)  # half of 4000 is 2000: 3000 would come back as 1000
    assert (resampled[200:-200] ** 2).mean() < 1e-5 * (sine(3000) ** 2).mean()


# --- loudness, noise, place -------------------------------------------------------------------------------------------


def test_gain_in_decibels():
    np.testing.assert_allclose(F.gain(sine(440), 20), 10 * sine(440))
    np.testing.assert_allclose((F.gain(sine(440), -3) ** 2).sum() / (sine(440) ** 2).sum(), 10**-0.3)


@pytest.mark.parametrize("snr", [-5.0, 0.0, 20.0])
def test_noise_is_added_at_the_ratio_asked_for_in_each_channel(snr):
    x = np.stack([sine(440, amplitude=0.1), sine(550, amplitude=0.9)])
    added = F.add_noise(x, noise(2, RATE), snr) - x
    np.testing.assert_allclose(10 * np.log10((x**2).sum(-1) / (added**2).sum(-1)), snr, atol=1e-9)
    np.testing.assert_allclose(np.corrcoef(added[0], noise(2, RATE)[0])[0, 1], 1)


def test_silence_stays_silent_and_silent_noise_is_refused():
    assert not F.add_noise(np.zeros(100), noise(100), 10).any()
    with pytest.raises(ValueError, match="the noise is silent"):
        F.add_noise(sine(440), np.zeros(RATE), 10)


def test_time_shift():
    x = np.arange(1.0, 6.0)
    assert F.time_shift(x, 2).tolist() == [0, 0, 1, 2, 3] and F.time_shift(x, -2).tolist() == [3, 4, 5, 0, 0]
    assert F.time_shift(x, 2, wrap=True).tolist() == [4, 5, 1, 2, 3] and F.time_shift(x, 0).tolist() == x.tolist()
    assert not F.time_shift(x, 9).any() and not F.time_shift(x, -9).any()


# --- spectrograms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(400, 200, 400), (512, None, None), (256, 100, 200), (255, 64, 101)])
def test_stft_and_its_inverse_are_torch_s(options):
    n_fft, hop, length = options
    x = noise(2, 3000)
    window = torch.hann_window(length or n_fft, dtype=torch.float64)
    theirs = torch.stft(torch.from_numpy(x), n_fft, hop, length, window, return_complex=True)
    ours = F.stft(x, n_fft, hop, length)
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=1e-11)
    back = torch.istft(theirs, n_fft, hop, length, window)
    np.testing.assert_allclose(F.istft(ours, n_fft, hop, length), back.numpy(), rtol=0, atol=1e-11)


def test_stft_is_scipy_s_and_the_inverse_gives_the_waveform_back():
    x = noise(2000)
    stft = signal.ShortTimeFFT(signal.windows.hann(256, sym=False), 64, RATE)
    theirs = stft.stft(x, p0=2, p1=30)  # frames that lie wholly within the waveform, so that no end matters
    ratio = theirs / F.stft(x, 256)[:, 2:30]  # the two count the phase from different places
    np.testing.assert_allclose(np.abs(ratio), 1, atol=1e-9)
    np.testing.assert_allclose(F.istft(F.stft(x, 256), 256, length=2000), x, atol=1e-12)


def test_a_spectrogram_conserves_energy():
    """Parseval, and the squares of a Hann window every quarter of it add up to 3/2."""
    x = noise(4096) * np.hanning(4096)  # nothing at the ends
    power = audio.Spectrogram(512, hop_length=128)(x)
    power[1:-1] *= 2  # the frequencies below 0
    np.testing.assert_allclose(power.sum() / 512, 1.5 * (x**2).sum(), rtol=1e-5)


def test_mel_scales_at_known_places():
    np.testing.assert_allclose(F.hz_to_mel([0, 700, 1000], "htk"), [0, 2595 * math.log10(2), 999.9855], rtol=1e-7)
    np.testing.assert_allclose(F.hz_to_mel([60, 110, 220, 440], "slaney"), [0.9, 1.65, 3.3, 6.6])  # librosa's docs
    np.testing.assert_allclose(F.hz_to_mel([1000, 6400], "slaney"), [15, 42])
    for scale in ("htk", "slaney"):
        np.testing.assert_allclose(F.mel_to_hz(F.hz_to_mel([0, 300, 999, 1001, 7000], scale), scale), [0, 300, 999, 1001, 7000])  # fmt: skip


@pytest.mark.parametrize("mel_scale", ["htk", "slaney"])
@pytest.mark.parametrize("norm", [None, "slaney"])
def test_mel_filters_and_spectrogram_are_those_of_transformers(mel_scale, norm):
    theirs = audio_utils.mel_filter_bank(201, 40, 20.0, 7600.0, 16000, norm, mel_scale)
    np.testing.assert_allclose(F.melscale_fbanks(201, 20.0, 7600.0, 40, 16000, norm, mel_scale), theirs, atol=1e-12)
    x = noise(3200)
    ours = audio.MelSpectrogram(16000, 400, None, 160, 20.0, 7600.0, n_mels=40, norm=norm, mel_scale=mel_scale)
    decibels = Compose([ours, audio.AmplitudeToDB(top_db=30)])(x)
    window = audio_utils.window_function(400, "hann")
    expected = audio_utils.spectrogram(
        x, window, 400, 160, 400, power=2.0, mel_filters=theirs, log_mel="dB", db_range=30, dtype=np.float64
    )
    np.testing.assert_allclose(decibels, expected, atol=1e-3)


def test_a_band_without_a_frequency_is_told():
    with pytest.warns(UserWarning, match=r"\d+ of 128 bands hold none of the 65 frequencies"):
        audio.MelSpectrogram(16000, 128)


def test_decibels_are_cut_off_below_each_example_s_own_largest():
    loud = 10.0 ** np.array([0, -1, -9]).reshape(1, 1, 3)
    both = audio.AmplitudeToDB(top_db=50).batch(np.stack([loud, loud / 1000]))
    np.testing.assert_allclose(both.reshape(2, 3), [[0, -10, -50], [-30, -40, -80]])
    np.testing.assert_allclose(audio.AmplitudeToDB("magnitude")(loud)[0, 0, :2], [0, -20], atol=1e-12)


# --- time and pitch ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.5, 0.8, 1.0, 1.3, 2.0])
@pytest.mark.parametrize("frequency", [440.0, 1007.3])
def test_a_stretched_sine_keeps_frequency_and_amplitude_and_changes_its_length(rate, frequency):
    stretched = F.time_stretch(sine(frequency), rate)
    assert stretched.shape == (round(RATE / rate),)
    found, amplitude, rest = tone_in(stretched)
    assert abs(found / frequency - 1) < 1e-6 and abs(amplitude - 0.5) < 1e-6 and rest < 1e-9


def test_without_phase_locking_the_bins_of_one_tone_cancel(monkeypatch):
    """So the amplitude above is no matter of course: here each bin is its own peak."""
    monkeypatch.setattr(
        F, "_nearest_peak", lambda magnitude: np.broadcast_to(np.arange(magnitude.shape[-1]), magnitude.shape)
    )
    assert tone_in(F.time_stretch(sine(1007.3), 0.5))[1] < 0.06 * 0.5


def test_at_its_own_pace_the_vocoder_changes_nothing():
    x = noise(4000)
    np.testing.assert_allclose(F.time_stretch(x, 1.0)[:-512], x[:-512], atol=1e-10)


def test_a_chirp_read_twice_as_fast_rises_twice_as_fast():
    t = np.arange(2 * RATE) / RATE
    x = np.sin(2 * np.pi * (500 * t + 250 * t**2))  # 500 Hz, rising by 500 Hz a second
    fast = F.time_stretch(x, 2.0)
    for moment in (0.25, 0.5, 0.75):
        piece = fast[round((moment - 0.03) * RATE) : round((moment + 0.03) * RATE)]
        assert abs(tone_in(piece)[0] - (500 + 1000 * moment)) < 10


@pytest.mark.parametrize("n_steps", [-12, -3.5, 1, 7, 12])
def test_a_shifted_sine_is_a_sine_at_the_shifted_frequency_as_long_as_before(n_steps):
    shifted = F.pitch_shift(sine(440), n_steps)
    assert shifted.shape == (RATE,)
    found, amplitude, rest = tone_in(shifted)
    assert abs(1200 * math.log2(found / 440) - 100 * n_steps) < 1.7  # cents
    assert abs(amplitude - 0.5) < 5e-4 and rest < 1e-6


def test_steps_are_parts_of_an_octave():
    assert abs(tone_in(F.pitch_shift(sine(400), 24, bins_per_octave=24))[0] - 800) < 0.1


# --- transforms -------------------------------------------------------------------------------------------------------

SPECGRAMS = np.ones((2000, 1, 20, 30))


def test_random_gain_noise_and_shift_draw_from_their_ranges_for_each_example():
    x = np.tile(sine(440, 0.1), (500, 1, 1))
    gains = 20 * np.log10(audio.RandomGain((-12, 6)).batch(x).max((1, 2)) / x[0].max())
    assert stats.kstest(gains, stats.uniform(-12, 18).cdf).pvalue > 0.001
    added = audio.RandomNoise((5, 30)).batch(x) - x
    snr = 10 * np.log10((x**2).sum((1, 2)) / (added**2).sum((1, 2)))
    assert stats.kstest(snr, stats.uniform(5, 25).cdf).pvalue > 0.001
    assert abs(np.corrcoef(added[0, 0, 1:], added[0, 0, :-1])[0, 1]) < 0.2  # white
    ramp = np.arange(1.0, 1001.0)
    shifts = [1000 - audio.RandomTimeShift((-0.25, 0.25), wrap=True)(ramp).argmax() - 1 for _ in range(500)]
    shifts = np.array(shifts) - 1000 * (np.array(shifts) > 500)
    assert -250 <= shifts.min() < -200 and 200 < shifts.max() <= 250


def test_noise_from_a_recording_is_a_piece_of_it():
    recording, x = noise(70), np.tile(sine(440, 0.0125), (50, 2, 1))
    added = audio.RandomNoise((0, 0), recording).batch(x) - x
    pieces = np.stack([np.resize(np.roll(recording, -start), 100) for start in range(70)])
    alike = np.abs(pieces / np.linalg.norm(pieces, axis=1, keepdims=True) @ added[:, 0].T / np.linalg.norm(added[:, 0], axis=1))  # fmt: skip
    np.testing.assert_allclose(alike.max(0), 1)
    assert len(set(alike.argmax(0).tolist())) > 20


@pytest.mark.parametrize(("rate", "last"), [((2.0, 2.0), 0.25), ((0.5, 0.5), 0.5)])
def test_a_random_stretch_keeps_the_length(rate, last):
    stretched = audio.RandomTimeStretch(rate)(sine(440, 0.5))
    assert stretched.shape == (4000,) and abs(np.flatnonzero(np.abs(stretched) > 0.01).max() / RATE - last) < 0.01


def test_a_random_pitch_shift_stays_within_its_range():
    shift, x = audio.RandomPitchShift((-2, 2)), sine(440, 0.25)
    cents = [1200 * math.log2(tone_in(shifted)[0] / 440) for shifted in shift.batch(np.stack([x] * 40))]
    assert -201 < min(cents) < -100 and 100 < max(cents) < 201


@pytest.mark.parametrize(
    ("mask", "axis", "size"), [(audio.TimeMasking(8), 2, 30), (audio.FrequencyMasking(8), 1, 20), (audio.TimeMasking(20, p=0.2), 2, 30)]
)  # fmt: skip
def test_a_mask_is_one_run_over_the_whole_other_axis_of_a_width_below_its_parameter(mask, axis, size):
    masked = mask.batch(SPECGRAMS)[:, 0] == 0
    assert (masked == masked.any(3 - axis, keepdims=True)).all()
    line = masked.any(3 - axis)  # (N, size)
    assert (np.diff(np.pad(line, ((0, 0), (1, 1))).astype(int), axis=1) == 1).sum(1).max() == 1
    widest = min(mask.mask_param, int(size * mask.p))
    widths = np.bincount(line.sum(1))
    assert len(widths) == widest and stats.chisquare(widths).pvalue > 0.001
    assert line[:, 0].any() and line[:, -1].any()


def test_specaugment_fills_with_each_example_s_mean_or_with_zero():
    specgrams = np.abs(noise(50, 1, 20, 30)) + np.arange(50).reshape(-1, 1, 1, 1)
    for zero in (False, True):
        augmented = audio.SpecAugment(2, 6, 2, 5, zero_masking=zero).batch(specgrams)
        for before, after in zip(specgrams, augmented):
            changed = set(after[after != before].tolist())
            assert changed <= {0.0 if zero else before.mean()} or np.allclose(list(changed), before.mean())
        rows = (augmented != specgrams).all((1, 3)).sum(1)
        columns = (augmented != specgrams).all((1, 2)).sum(1)
        assert 4 < rows.max() <= 8 and 5 < columns.max() <= 10  # two masks each, below 5 and 6


def test_the_input_stays_as_it_was_dtypes_stay_and_tensors_give_tensors():
    pipeline = Compose(
        [
            audio.Resample(8000, 4000), audio.RandomGain(), audio.RandomNoise(), audio.RandomTimeShift(), audio.RandomTimeStretch(),
            audio.RandomPitchShift(), audio.MelSpectrogram(4000, n_mels=20), audio.AmplitudeToDB(), audio.TimeMasking(5),
            audio.FrequencyMasking(3), audio.SpecAugment(1, 5, 1, 3),
        ]
    )  # fmt: skip
    x = np.stack([sine(440, 0.5, dtype=np.float32)] * 2)[:, None]
    kept = x.copy()
    batch = pipeline.batch(x)
    assert batch.dtype == np.float32 and batch.shape == (2, 1, 20, 11) and (x == kept).all()
    assert not (batch[0] == batch[1]).all()
    one = pipeline(Tensor(x[0]))
    assert isinstance(one, Tensor) and one.shape == (1, 20, 11)
    results = []
    for seed in (3, 3, 4):
        backend.manual_seed(seed)
        results.append(pipeline(x[0]))
    assert (results[0] == results[1]).all() and not (results[0] == results[2]).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.resample(sine(440), 0, 8000), "resample: sample rates should be positive whole numbers, got 0 and 8000"),
        (lambda: F.stft(np.zeros(200), 400), "200 samples is too short for n_fft=400: it takes 201"),
        (lambda: F.stft(np.zeros(600), 400, 100, 500), "win_length should lie between 1 and n_fft = 400, got 500"),
        (lambda: F.add_noise(sine(440), np.ones(5), 0), "5 samples of noise for a waveform of 8000"),
        (lambda: F.time_stretch(sine(440), 0), "rate should be positive, got 0"),
        (lambda: F.pitch_shift(sine(440), 16000), "n_steps=16000 is more than 2 octaves of 12 steps"),
        (lambda: F.melscale_fbanks(9, 100, 100, 4, 8000), "f_min should be below f_max, got 100 and 100"),
        (lambda: F.melscale_fbanks(9, 0, 100, 4, 8000, mel_scale="bark"), 'mel_scale should be "htk" or "slaney", got \'bark\''),
        (lambda: audio.RandomGain(6), "RandomGain: gain_db should be (low, high), got 6"),
        (lambda: audio.RandomNoise((9, 3)), "RandomNoise: snr should be (low, high), got (9, 3)"),
        (lambda: audio.RandomTimeStretch((0, 1)), "RandomTimeStretch: rate should be (low, high), above 0, got (0, 1)"),
        (lambda: audio.TimeMasking(5, p=2), "TimeMasking: expected a width from 0 and p in [0, 1], got 5, 2"),
    ],
)  # fmt: skip
def test_errors_name_what_is_wrong(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert message in str(error.value)


def test_integers_are_refused_because_their_scale_is_unknown():
    for call in (lambda x: F.gain(x, 1), lambda x: F.resample(x, 2, 1), lambda x: F.stft(x, 64)):
        with pytest.raises(TypeError, match="expected a floating-point waveform .* got int16"):
            call(np.zeros(100, np.int16))


# --- WAV files --------------------------------------------------------------------------------------------------------

STEREO = np.stack([sine(440, 0.01), -sine(330, 0.01)])  # (2, 80)


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_pcm_of_the_standard_library_s_writer_is_read(tmp_path, bits):
    full = 2 ** (bits - 1)
    values = np.rint(STEREO.T * full).astype(np.int64) + (128 if bits == 8 else 0)  # frames (80, 2)
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((2, bits // 8, RATE, 0, "NONE", ""))
        file.writeframes(b"".join(int(v).to_bytes(bits // 8, "little", signed=bits > 8) for v in values.ravel()))
    waveform, rate = audio.read_wav(tmp_path / "a.wav")
    assert rate == RATE and waveform.shape == (2, 80) and waveform.dtype == np.float32
    np.testing.assert_allclose(waveform, STEREO, atol=0.5 / full + 6e-8)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_floating_point_is_read_and_one_channel_keeps_its_dimension(tmp_path, dtype):
    wavfile.write(tmp_path / "a.wav", RATE, STEREO[0].astype(dtype))
    waveform, _ = audio.read_wav(tmp_path / "a.wav")
    np.testing.assert_array_equal(waveform, STEREO[:1].astype(np.float32))


def wav_bytes(tmp_path):
    wavfile.write(tmp_path / "whole.wav", RATE, np.arange(100, dtype=np.int16))
    return (tmp_path / "whole.wav").read_bytes()


def test_a_chunk_with_a_comment_is_passed_over(tmp_path):
    content = wav_bytes(tmp_path)
    comment = b"LIST" + struct.pack("<I", 12) + b"INFOICMT\0\0\0\0"
    (tmp_path / "a.wav").write_bytes(content[:36] + comment + content[36:])
    assert audio.read_wav(tmp_path / "a.wav")[0].shape == (1, 100)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: b"ID3\x04" + content, "ID3"),
        (lambda content: b"fLaC" + content, "fLaC"),
        (lambda content: b"", "File format b''"),
        (lambda content: content[:-50], "Reached EOF prematurely"),
        (lambda content: content[:-51], "Reached EOF prematurely"),
        (lambda content: content[:30], ""),
        (lambda content: content[:20] + struct.pack("<H", 7) + content[22:], "MULAW"),
        (lambda content: b"RIFF" + struct.pack("<I", 36) + content[8:40] + bytes(4), "holds no sample"),
    ],
    ids=["mp3", "flac", "empty", "short", "half a sample", "no header", "µ-law", "no sample"],
)
def test_a_file_that_cannot_be_read_says_why_and_which(tmp_path, damage, message):
    (tmp_path / "broken.wav").write_bytes(damage(wav_bytes(tmp_path)))
    with pytest.raises(ValueError) as error:
        audio.read_wav(tmp_path / "broken.wav")
    assert "broken.wav" in str(error.value) and message in str(error.value)
