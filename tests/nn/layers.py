"""The layers' table: one row a layer and a choice of its arguments, from which test_layers.py draws every check.

A row holds how to make the layer, `lambda T: T.nn.Linear(3, 4)` with T the engine or PyTorch, and the arrays that it is fed.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

MODES = ("train", "eval")


@dataclass
class Row:
    name: str  # a name of framework.nn, and after a blank what tells it from the others of that name
    make: Any  # T → the layer
    inputs: tuple  # functions of a random generator, each of which makes an array
    call: Any = None  # (T, layer, *tensors) → output; the layer itself, called with the tensors, unless given
    modes: tuple = MODES

    @property
    def layer(self):
        return self.name.partition(" ")[0]

    def arrays(self):
        random = np.random.default_rng(7)
        return [make(random) for make in self.inputs]

    def __call__(self, T, layer, *tensors):
        return self.call(T, layer, *tensors) if self.call else layer(*tensors)


def real(*shape, scale=1.0):
    return lambda random: random.standard_normal(shape) * scale


def positive(*shape):
    """Numbers in (0.05, 0.95): probabilities, targets."""
    return lambda random: random.uniform(0.05, 0.95, shape)


def distribution(*shape):
    """Rows that sum to one, along dimension 1."""

    def make(random):
        values = random.uniform(0.1, 1, shape)
        return values / values.sum(1, keepdims=True)

    return make


def integer(*shape, high):
    return lambda random: random.integers(0, high, shape)


def given(values):
    return lambda random: np.array(values)


def rows(name, *cases):
    """Rows of one layer: each case is (arguments as text, inputs…) or (arguments, inputs…, dict of the row's further fields)."""
    made = []
    for arguments, *inputs in cases:
        options = inputs.pop() if isinstance(inputs[-1], dict) else {}
        make = eval(f"lambda T: T.nn.{name}({arguments})", {"OrderedDict": OrderedDict})
        made.append(Row(f"{name} {arguments}".strip(), make, tuple(inputs), **options))
    return made


IMAGE, SEQUENCE, VOLUME = real(2, 4, 6, 5), real(2, 4, 9), real(2, 2, 4, 5, 3)

LINEAR = [
    *rows("Identity", ("", real(2, 3)), ("54, unused=True", real(2, 3))),
    *rows("Linear", ("3, 4", real(2, 3)), ("3, 4, bias=False", real(2, 5, 3)), ("3, 4", real(3)), ("3, 1", real(0, 3))),
    *rows("Bilinear", ("3, 2, 4", real(5, 3), real(5, 2)), ("3, 2, 4, bias=False", real(2, 5, 3), real(2, 5, 2))),
    *rows("Flatten", ("", real(2, 3, 4)), ("0, 1", real(2, 3, 4)), ("start_dim=-2", real(2, 3, 4))),
    *rows("Unflatten", ("1, (2, 3)", real(2, 6)), ("dim=-1, unflattened_size=(-1, 3)", real(2, 6))),
]

CONTAINERS = [
    *rows("Sequential", ("T.nn.Linear(3, 4), T.nn.ReLU(), T.nn.Linear(4, 2)", real(2, 3)), ("", real(2, 3))),
    *rows("Sequential", ("OrderedDict(first=T.nn.Linear(3, 4), second=T.nn.Tanh())", real(2, 3))),
    *rows(
        "ModuleList",
        (
            "[T.nn.Linear(3, 3) for _ in range(3)] + [T.nn.Tanh()]",
            real(2, 3),
            dict(call=lambda T, m, x: m[3](m[-2](m[0](x)))),
        ),
    ),
    *rows(
        "ModuleDict",
        ("dict(a=T.nn.Linear(3, 3), b=T.nn.ReLU())", real(2, 3), dict(call=lambda T, m, x: m["b"](m["a"](x)))),
    ),
    *rows(
        "ParameterList",
        (
            "[T.nn.Parameter(T.ones(3)), T.nn.Parameter(T.ones(2, 3))]",
            real(2, 3),
            dict(call=lambda T, m, x: x * m[0] + m[1]),
        ),
    ),
    *rows("ParameterDict", ("dict(w=T.nn.Parameter(T.ones(3)))", real(2, 3), dict(call=lambda T, m, x: x * m["w"]))),
    *rows("DataParallel", ("T.nn.Linear(2, 3)", real(4, 2))),
]

CONV = [
    *rows(
        "Conv1d",
        ("4, 6, 3", SEQUENCE),
        ("4, 6, 3, stride=2, padding=1, dilation=2, groups=2, bias=False", SEQUENCE),
        ("4, 6, 4, padding='same'", SEQUENCE),
        ("4, 6, 3, padding='valid'", real(4, 9)),
        ("4, 6, 4, padding='same', padding_mode='circular'", SEQUENCE),
    ),
    *rows(
        "Conv2d",
        ("4, 6, 3", IMAGE),
        ("4, 6, (3, 2), (2, 1), (1, 0)", IMAGE),
        ("4, 4, 3, padding=1, groups=4", IMAGE),
        ("4, 8, 3, padding=2, dilation=2, groups=2", IMAGE),
        ("4, 6, 1, bias=False", real(4, 6, 5)),
        ("4, 6, 3, padding='same'", IMAGE),
        ("4, 6, 3, padding=1, padding_mode='reflect'", IMAGE),
        ("4, 6, 3, padding=(2, 1), padding_mode='replicate', stride=2", IMAGE),
        ("4, 6, (3, 2), padding='same', padding_mode='circular'", IMAGE),
    ),
    *rows(
        "Conv3d",
        ("2, 4, 3, padding=1", real(2, 2, 4, 3, 5)),
        ("2, 4, (1, 2, 3), stride=(1, 2, 1), groups=2", real(1, 2, 4, 3, 5)),
    ),
    *rows(
        "ConvTranspose1d",
        ("4, 6, 3", SEQUENCE),
        ("4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, dilation=2", SEQUENCE),
    ),
    *rows(
        "ConvTranspose2d",
        ("4, 6, 3", IMAGE),
        ("4, 6, 4, 2, 1, bias=False", IMAGE),
        ("4, 6, (3, 2), stride=(2, 3), padding=1, output_padding=(1, 2), groups=2", IMAGE),
        ("4, 6, 3, stride=2", IMAGE, dict(call=lambda T, m, x: m(x, output_size=(14, 11)))),
    ),
    *rows(
        "ConvTranspose3d",
        ("2, 4, 2, stride=2", real(1, 2, 3, 2, 3)),
    ),
]

PADDING = [
    row
    for n in (1, 2, 3)
    for x in [real(*(2, 2, 3, 4, 5)[: 2 + n])]
    for sides in ["(1, 2)" if n == 1 else "(1, 2, 0, 1)" if n == 2 else "(1, 2, 0, 1, 1, 1)"]
    for row in (
        *rows(f"ConstantPad{n}d", ("1, 2.5", x), (f"{sides}, -1", x)),
        *rows(f"ZeroPad{n}d", ("2", x), (sides, x)),
        *rows(f"ReflectionPad{n}d", ("1", x), (sides, x)),
        *rows(f"ReplicationPad{n}d", ("2", x), (sides, x)),
        *rows(f"CircularPad{n}d", ("1", x), (sides, x)),
    )
]

POOLING = [
    *rows("MaxPool1d", ("2", SEQUENCE), ("3, 2, 1, 1, False, True", SEQUENCE), ("2, return_indices=True", SEQUENCE)),
    *rows(
        "MaxPool2d",
        ("2", IMAGE),
        ("3, stride=2, padding=1", IMAGE),
        ("(3, 2), (2, 1), (1, 0), 1, False, True", IMAGE),
        ("2, dilation=2, return_indices=True", IMAGE),
        ("2, stride=1", real(4, 6, 5)),
    ),
    *rows("MaxPool3d", ("2", VOLUME), ("(2, 3, 1), 1, (1, 0, 0), ceil_mode=True, return_indices=True", VOLUME)),
    *rows("AvgPool3d", ("2", VOLUME), ("(2, 3, 1), 1, (1, 0, 0), True, False", VOLUME)),
    *rows("AdaptiveAvgPool3d", ("2", VOLUME), ("(1, None, 3)", VOLUME)),
    *rows("Unfold", ("2", IMAGE), ("(3, 2), dilation=(1, 2), padding=(1, 0), stride=2", IMAGE)),
    *rows("Fold", ("(6, 5), 2", real(2, 8, 20)), ("(6, 5), (3, 2), padding=1, stride=(2, 1)", real(2, 12, 18))),
    *rows("AvgPool1d", ("2", SEQUENCE), ("3, 2, 1, True, False", SEQUENCE)),
    *rows(
        "AvgPool2d",
        ("2", IMAGE),
        ("3, 2, 1, True", IMAGE),
        ("(3, 2), padding=1, count_include_pad=False", IMAGE),
        ("2, divisor_override=3", IMAGE),
    ),
    *rows("AdaptiveAvgPool1d", ("4", SEQUENCE), ("1", SEQUENCE)),
    *rows("AdaptiveAvgPool2d", ("1", IMAGE), ("(4, 3)", IMAGE), ("(None, 2)", IMAGE), ("7", IMAGE)),
    *rows("AdaptiveMaxPool1d", ("4", SEQUENCE), ("2, return_indices=True", SEQUENCE)),
    *rows("AdaptiveMaxPool2d", ("1", IMAGE), ("(4, 3)", IMAGE), ("(None, 2), return_indices=True", IMAGE)),
    *rows(
        "Upsample",
        ("scale_factor=2", IMAGE),
        ("scale_factor=(2, 1.5), mode='bilinear'", IMAGE),
        ("size=(7, 9), mode='bilinear', align_corners=True", IMAGE),
        ("size=7, mode='bicubic'", IMAGE),
        ("scale_factor=3", SEQUENCE),
    ),
    *rows("UpsamplingNearest2d", ("scale_factor=2", IMAGE), ("size=(7, 9)", IMAGE)),
    *rows("UpsamplingBilinear2d", ("scale_factor=2", IMAGE), ("(7, 9)", IMAGE)),
]

NORMALIZATION = [
    *rows(
        "BatchNorm1d",
        ("4", real(5, 4)),
        ("4", SEQUENCE),
        ("4, momentum=None", SEQUENCE),
        ("4, eps=0.1, momentum=0.5, affine=False", SEQUENCE),
        ("4, track_running_stats=False", SEQUENCE),
        ("4, bias=False", SEQUENCE),
    ),
    *rows("BatchNorm2d", ("4", IMAGE), ("4, 0.01, None, False", IMAGE), ("4, track_running_stats=False", IMAGE)),
    *rows("BatchNorm3d", ("2", real(2, 2, 3, 2, 3))),
    *rows(
        "InstanceNorm1d",
        ("4", SEQUENCE),
        ("4, affine=True, track_running_stats=True", SEQUENCE),
        ("4, affine=True", real(4, 9)),
    ),
    *rows(
        "InstanceNorm2d",
        ("4", IMAGE),
        ("4, affine=True", IMAGE),
        ("4, momentum=0.3, affine=True, track_running_stats=True", IMAGE),
        ("4, 0.1", real(4, 6, 5)),
    ),
    *rows("InstanceNorm3d", ("2", real(2, 2, 3, 2, 3)), ("2, track_running_stats=True", real(2, 2, 3, 2, 3))),
    *rows(
        "LayerNorm",
        ("5", real(2, 3, 5)),
        ("(3, 5), eps=0.1", real(2, 3, 5)),
        ("5, elementwise_affine=False", real(2, 5)),
        ("[5], bias=False", real(2, 5)),
    ),
    *rows(
        "GroupNorm", ("2, 4", IMAGE), ("4, 4, 0.1, False", SEQUENCE), ("1, 4", real(3, 4)), ("2, 4, bias=False", IMAGE)
    ),
    *rows(
        "RMSNorm", ("5", real(2, 3, 5)), ("(3, 5), eps=0.1", real(2, 3, 5)), ("5, elementwise_affine=False", real(2, 5))
    ),
]

X = real(2, 4, 3, scale=2.0)
ACTIVATION = [
    *rows("ReLU", ("", X), ("inplace=True", X, dict(call=lambda T, m, x: m(x * 1)))),
    *rows("ReLU6", ("", real(2, 40, scale=5.0)), ("True", real(2, 40, scale=5.0), dict(call=lambda T, m, x: m(x * 1)))),
    *rows("LeakyReLU", ("", X), ("0.2", X), ("0.2, True", X, dict(call=lambda T, m, x: m(x * 1)))),
    *rows("PReLU", ("", X), ("4", X), ("num_parameters=1, init=0.1", X)),
    *rows("ELU", ("", X), ("alpha=0.5", X)),
    *rows("SELU", ("", X), ("inplace=True", X, dict(call=lambda T, m, x: m(x * 1)))),
    *rows("GELU", ("", X), ("'tanh'", X)),
    *rows("SiLU", ("", X), ("inplace=True", X, dict(call=lambda T, m, x: m(x * 1)))),
    *rows("GLU", ("", real(2, 6)), ("1", X)),
    *rows("Hardtanh", ("", X), ("-2, 0.5", X)),
    *rows("Softplus", ("", X), ("2, 1.5", X)),
    *rows("Sigmoid", ("", X)),
    *rows("LogSigmoid", ("", X)),
    *rows("Tanh", ("", X)),
    *rows("Softmax", ("1", X), ("dim=-1", X)),
    *rows("Softmax2d", ("", IMAGE), ("", real(4, 3, 2))),
    *rows("LogSoftmax", ("1", X), ("dim=-1", X)),
    *rows("Softmin", ("1", X), ("dim=-1", X)),
]

# Random numbers differ: what is dropped is compared where it is nothing or everything, and its statistics in test_layers.py.
DROPOUT = [
    *rows(
        "Dropout",
        ("0.0", X),
        ("1.0", X),
        ("", X, dict(modes=("eval",))),
        ("p=0.2, inplace=True", X, dict(modes=("eval",))),
    ),
    *rows("Dropout1d", ("0.0", X), ("1.0", X), ("", X, dict(modes=("eval",)))),
    *rows("Dropout2d", ("0.0", IMAGE), ("1.0", IMAGE), ("", IMAGE, dict(modes=("eval",)))),
]

SPARSE = [
    *rows(
        "Embedding",
        ("10, 3", integer(2, 5, high=10)),
        ("10, 3, padding_idx=2", given([[2, 1], [3, 2]])),
        ("10, 3, padding_idx=-1, scale_grad_by_freq=True", given([[9, 1, 1], [3, 1, 9]])),
        ("10, 3, max_norm=1.0", integer(2, 5, high=10)),
        ("10, 3, max_norm=1.5, norm_type=1.0", integer(7, high=10)),
    ),
    *rows(
        "EmbeddingBag",
        ("10, 3", integer(4, 5, high=10)),
        ("10, 3, mode='sum'", integer(7, high=10), given([0, 2, 2, 5])),
        ("10, 3, mode='max'", integer(7, high=10), given([0, 2, 5])),
        ("10, 3, padding_idx=2", given([2, 1, 2, 3, 2]), given([0, 3, 4])),
        ("10, 3, include_last_offset=True", integer(6, high=10), given([0, 2, 6])),
        (
            "10, 3, mode='sum'",
            integer(2, 3, high=10),
            real(2, 3),
            dict(call=lambda T, m, x, w: m(x, per_sample_weights=w)),
        ),
        ("10, 3, max_norm=1.0, scale_grad_by_freq=True", integer(4, 5, high=10)),
    ),
]

_CLASSES, _DENSE = integer(5, high=4), integer(2, 3, high=4)
_WEIGHT = "T.tensor([0.5, 1.0, 2.0, 0.1])"
LOSS = [
    *[
        row
        for name in ("L1Loss", "MSELoss", "SmoothL1Loss", "HuberLoss")
        for row in rows(
            name,
            ("", real(3, 4), real(3, 4)),
            ("reduction='sum'", real(3, 4), real(3, 4)),
            ("reduction='none'", real(3), real(3)),
        )
    ],
    *rows("SmoothL1Loss", ("beta=0.5", real(3, 4), real(3, 4))),
    *rows("HuberLoss", ("delta=0.5", real(3, 4), real(3, 4))),
    *rows(
        "CrossEntropyLoss",
        ("", real(5, 4), _CLASSES),
        (_WEIGHT, real(5, 4), _CLASSES),
        ("ignore_index=1, reduction='sum'", real(2, 4, 3), _DENSE),
        ("label_smoothing=0.1", real(5, 4), _CLASSES),
        (f"weight={_WEIGHT}, label_smoothing=0.2, reduction='none', ignore_index=2", real(5, 4), _CLASSES),
        ("", real(5, 4), distribution(5, 4)),
        ("", real(4), given(2)),
    ),
    *rows(
        "NLLLoss",
        ("", real(5, 4), _CLASSES),
        (f"{_WEIGHT}, ignore_index=1", real(2, 4, 3), _DENSE),
        ("reduction='none'", real(5, 4), _CLASSES),
    ),
    *rows(
        "BCELoss",
        ("", positive(3, 4), positive(3, 4)),
        (f"{_WEIGHT}, reduction='sum'", positive(3, 4), positive(3, 4)),
        ("reduction='none'", positive(5), positive(5)),
    ),
    *rows(
        "BCEWithLogitsLoss",
        ("", real(3, 4), positive(3, 4)),
        (f"pos_weight={_WEIGHT}", real(3, 4), positive(3, 4)),
        (f"{_WEIGHT}, reduction='none'", real(3, 4), positive(3, 4)),
    ),
    *rows(
        "KLDivLoss",
        ("reduction='batchmean'", real(3, 4), positive(3, 4)),
        ("reduction='sum', log_target=True", real(3, 4), real(3, 4)),
        ("reduction='none'", real(3, 4), positive(3, 4)),
    ),
    *rows("CosineSimilarity", ("", real(3, 4), real(3, 4)), ("dim=-1, eps=0.5", real(2, 3, 4), real(2, 3, 4))),
]

_MASK = given([[False, True, True], [False, False, True], [False, False, False]])
_SHUT = given([[False, False, True], [False, True, True]])


def _masked(T, m, x, mask, shut):
    return m(x, x, x, attn_mask=mask, key_padding_mask=shut)


_LAYER = "8, 2, 16, dropout=0.0"
TRANSFORMER = [
    *rows(
        "MultiheadAttention",
        ("8, 2", real(3, 2, 8), real(5, 2, 8), real(5, 2, 8)),
        ("8, 2, batch_first=True, bias=False", real(2, 3, 8), real(2, 5, 8), real(2, 5, 8)),
        ("8, 2, kdim=6, vdim=4", real(3, 2, 8), real(5, 2, 6), real(5, 2, 4)),
        ("8, 4, add_bias_kv=True, add_zero_attn=True", real(3, 2, 8), real(5, 2, 8), real(5, 2, 8)),
        ("8, 2", real(3, 2, 8), _MASK, _SHUT, dict(call=_masked)),
        ("8, 2, batch_first=True", real(2, 3, 8), dict(call=lambda T, m, x: m(x, x, x, need_weights=False))),
        ("8, 2", real(3, 2, 8), dict(call=lambda T, m, x: m(x, x, x, average_attn_weights=False))),
        ("8, 2", real(3, 8), dict(call=lambda T, m, x: m(x, x, x))),
    ),
    *rows(
        "TransformerEncoderLayer",
        (_LAYER, real(3, 2, 8)),
        (f"{_LAYER}, activation='gelu', batch_first=True, norm_first=True", real(2, 3, 8)),
        (f"{_LAYER}, activation=T.tanh, layer_norm_eps=0.1, bias=False", real(3, 2, 8)),
        (_LAYER, real(3, 2, 8), _MASK, dict(call=lambda T, m, x, mask: m(x, mask, is_causal=True))),
        (_LAYER, real(3, 2, 8), _MASK, _SHUT, dict(modes=("train",))),
    ),
    *rows(
        "TransformerDecoderLayer",
        (_LAYER, real(3, 2, 8), real(4, 2, 8)),
        (f"{_LAYER}, activation='gelu', batch_first=True, norm_first=True", real(2, 3, 8), real(2, 4, 8)),
        (_LAYER, real(3, 2, 8), real(4, 2, 8), _MASK),
    ),
    *rows(
        "TransformerEncoder",
        (f"T.nn.TransformerEncoderLayer({_LAYER}), 2", real(3, 2, 8)),
        (f"T.nn.TransformerEncoderLayer({_LAYER}), 2, norm=T.nn.LayerNorm(8)", real(3, 2, 8), _MASK),
    ),
    *rows(
        "TransformerDecoder",
        (f"T.nn.TransformerDecoderLayer({_LAYER}), 2, T.nn.LayerNorm(8)", real(3, 2, 8), real(4, 2, 8), _MASK),
    ),
    *rows(
        "Transformer",
        ("8, 2, 1, 2, 16, dropout=0.0", real(4, 2, 8), real(3, 2, 8)),
        (
            "8, 2, 2, 1, 16, 0.0, 'gelu', batch_first=True, norm_first=True",
            real(2, 4, 8),
            real(2, 3, 8),
            dict(call=lambda T, m, x, y: m(x, y, tgt_mask=m.generate_square_subsequent_mask(3, x.device, T.float64))),
        ),
    ),
]


def _packed(T, m, x, lengths, *states):
    rnn = T.nn.utils.rnn
    packed = rnn.pack_padded_sequence(x, lengths.cpu(), m.batch_first, enforce_sorted=False)
    output, final = _with_state(T, m, packed, *states) if states else m(packed)
    return rnn.pad_packed_sequence(output, m.batch_first)[0], final


def _with_state(T, m, x, *states):
    return m(x, states if len(states) > 1 else states[0])


RECURRENT = [
    row
    for name, states in (("RNN", 1), ("LSTM", 2), ("GRU", 1))
    for row in rows(
        name,
        ("3, 4", real(5, 2, 3)),
        ("3, 4, num_layers=2, bias=False, batch_first=True", real(2, 5, 3)),
        ("3, 4, bidirectional=True", real(5, 2, 3)),
        ("3, 4, num_layers=2, bidirectional=True, dropout=0.0", real(5, 3)),
        ("3, 4, 2", real(5, 2, 3), *[real(2, 2, 4)] * states, dict(call=_with_state)),
        ("3, 4, 2", real(5, 3), *[real(2, 4)] * states, dict(call=_with_state)),
        ("3, 4, num_layers=2, dropout=0.5", real(5, 2, 3), dict(modes=("eval",))),
        ("3, 4, num_layers=2, dropout=1.0", real(5, 2, 3)),
        (
            "3, 4, batch_first=True, bidirectional=True, num_layers=2",
            real(3, 5, 3),
            given([2, 5, 1]),
            dict(call=_packed),
        ),
        ("3, 4", real(5, 3, 3), given([5, 2, 2]), dict(call=_packed)),
        ("3, 4, 2", real(5, 3, 3), given([2, 5, 1]), *[real(2, 3, 4)] * states, dict(call=_packed)),
    )
]
RECURRENT += rows("RNN", ("3, 4, 2, 'relu', False, True", real(2, 5, 3)), ("3, 4, nonlinearity='relu'", real(5, 2, 3)))
CELLS = [
    row
    for name, states in (("RNNCell", 1), ("LSTMCell", 2), ("GRUCell", 1))
    for row in rows(
        name,
        ("3, 4", real(2, 3)),
        ("3, 4, False", real(3)),
        ("3, 4", real(2, 3), *[real(2, 4)] * states, dict(call=_with_state)),
        ("3, 4", real(3), *[real(4)] * states, dict(call=_with_state)),
    )
]
CELLS += rows("RNNCell", ("3, 4, nonlinearity='relu'", real(2, 3)))

MORE = [
    *rows("CELU", ("", real(2, 3)), ("alpha=2.0", real(2, 3))),
    *rows("Hardshrink", ("", real(2, 3)), ("0.3", real(2, 3))),
    *rows("Softshrink", ("", real(2, 3)), ("0.3", real(2, 3))),
    *rows("Tanhshrink", ("", real(2, 3))),
    *rows("Softsign", ("", real(2, 3))),
    *rows("Threshold", ("0.1, 20", real(2, 3))),
    *rows("Hardsigmoid", ("", real(2, 3))),
    *rows("Hardswish", ("", real(2, 3, scale=3.0))),
    *rows("Mish", ("", real(2, 3))),
    *rows("RReLU", ("0.2, 0.2", real(2, 3)), ("", real(2, 3), dict(modes=("eval",)))),
    *rows("PairwiseDistance", ("", real(4, 3), real(4, 3)), ("1, keepdim=True", real(4, 3), real(4, 3))),
    *rows("PixelShuffle", ("2", real(2, 8, 3, 2))),
    *rows("PixelUnshuffle", ("2", real(2, 2, 4, 6))),
    *rows("LocalResponseNorm", ("3", IMAGE), ("2, alpha=0.1, beta=0.5, k=2.0", IMAGE)),
    *rows(
        "MarginRankingLoss",
        ("", real(3), real(3), given([1.0, -1.0, 1.0])),
        ("0.5", real(3), real(3), given([1.0, -1.0, 1.0])),
    ),
    *rows(
        "HingeEmbeddingLoss",
        ("", real(3), given([1.0, -1.0, 1.0])),
        ("margin=2.0, reduction='sum'", real(3), given([1.0, -1.0, 1.0])),
    ),
    *rows("SoftMarginLoss", ("", real(3), given([1.0, -1.0, 1.0]), dict(call=lambda T, m, x, t: m(x, t.detach())))),
    *rows(
        "CosineEmbeddingLoss",
        ("", real(3, 4), real(3, 4), given([1.0, -1.0, 1.0])),
        ("0.1", real(3, 4), real(3, 4), given([1.0, -1.0, 1.0])),
    ),
    *rows(
        "TripletMarginLoss",
        ("", real(3, 4), real(3, 4), real(3, 4)),
        ("2.0, p=1.0, swap=True", real(3, 4), real(3, 4), real(3, 4)),
    ),
    *rows(
        "GaussianNLLLoss",
        ("", real(3, 4), real(3, 4), positive(3, 4)),
        ("full=True", real(3, 4), real(3, 4), positive(3, 4)),
    ),
    *rows("PoissonNLLLoss", ("", real(3, 4), positive(3, 4)), ("False, full=True", positive(3, 4), positive(3, 4))),
]

ROWS = [
    *LINEAR,
    *CONTAINERS,
    *CONV,
    *PADDING,
    *POOLING,
    *NORMALIZATION,
    *ACTIVATION,
    *DROPOUT,
    *SPARSE,
    *LOSS,
    *TRANSFORMER,
    *RECURRENT,
    *CELLS,
    *MORE,
]
