"""Files written for PyTorch, executed on the engine: same numbers, the real torch untouched, and clear refusals."""

import copy
import dataclasses
import importlib
import importlib.util
import pickle
import subprocess
import sys
import textwrap
import traceback
from pathlib import Path

import numpy as np
import pytest
import torch

import framework
from framework import drop_in

ROOT = Path(__file__).parents[1]

# What model files do: every import form, old habits, buffers, init, annotations, a derivative of one's own, an optimizer.
STRANGER = """
from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import List, Optional, Tuple

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
import torch.utils.data as data
import torch.utils.checkpoint as cp
from torch import Tensor, nn as nn_again, optim as optim_again
from torch.autograd import Function, Variable
from torch.nn import Linear, Module
from torch.nn import functional, init
from torch.nn.init import xavier_uniform_
from torch.nn.modules.activation import MultiheadAttention
from torch.nn.modules.batchnorm import _BatchNorm
from torch.linalg import norm
from torch.nn.modules.utils import _pair
from torch.nn.parameter import Parameter
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Dataset, TensorDataset


@dataclass
class Config:
    width: int = 8
    heads: int = 2
    sizes: List[int] = field(default_factory=lambda: [3, 5])


class Swish(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx, grad):
        x, = ctx.saved_tensors
        s = torch.sigmoid(x)
        return grad * (s + x * s * (1 - s))


class Positions(nn.Module):
    def __init__(self, width: int, longest: int = 50) -> None:
        super(Positions, self).__init__()
        position = torch.arange(0, longest, dtype=torch.float).unsqueeze(1)
        rate = torch.exp(torch.arange(0, width, 2).float() * (-math.log(10000.0) / width))
        table = torch.zeros(longest, width)
        table[:, 0::2] = torch.sin(position * rate)
        table[:, 1::2] = torch.cos(position * rate)
        self.register_buffer("table", table.unsqueeze(0))
        self.register_buffer("mask", torch.tril(torch.ones(longest, longest)), persistent=False)

    def forward(self, x: Tensor, lengths: Optional[torch.LongTensor] = None) -> torch.Tensor:
        return x + self.table[:, : x.size(1)]


class Attention(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.heads = config.heads
        self.qkv = Linear(config.width, 3 * config.width, bias=False)
        self.out = Linear(config.width, config.width)
        self.scale = Parameter(torch.tensor(1.0))
        self.register_parameter("unused", None)

    def forward(self, x, mask):
        B, T, C = x.shape
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        q, k, v = (t.view(B, T, self.heads, C // self.heads).transpose(1, 2) for t in (q, k, v))
        scores = self.scale * (q @ k.transpose(-2, -1)) / math.sqrt(k.size(-1))
        scores = scores.masked_fill(mask[:T, :T] == 0, float("-inf"))
        y = F.softmax(scores, dim=-1) @ v
        return self.out(y.transpose(1, 2).contiguous().view(B, T, -1))


class Model(Module):
    def __init__(self, config: Config = None):
        super().__init__()
        config = config or Config()
        self.positions = Positions(config.width)
        self.blocks = nn.ModuleList([nn.ModuleDict(dict(norm=nn.LayerNorm(config.width), attention=Attention(config))) for _ in range(2)])
        self.rnn = nn.LSTM(config.width, config.width, batch_first=True, bidirectional=True)
        self.head = nn.Sequential(nn.Linear(2 * config.width, config.width), nn.BatchNorm1d(config.width), nn.ReLU(inplace=True))
        self.kernel = _pair(3)
        self.apply(self._init_weights)
        self.dummy = nn.Parameter(torch.FloatTensor(2).fill_(0.5))

    def _init_weights(self, m):
        if isinstance(m, nn.Linear):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            if m.bias is not None:
                nn.init.constant_(m.bias, 0)
        elif isinstance(m, (nn.LayerNorm, _BatchNorm)):
            m.weight.data.fill_(1.0)
            m.bias.data.zero_()

    def forward(self, x):
        assert x.dim() == 3, f"expected (B, T, C), got {x.shape}"
        x = self.positions(x)
        for block in self.blocks:
            x = x + cp.checkpoint(block["attention"], block["norm"](x), self.positions.mask, use_reentrant=False)
        x, (h, c) = self.rnn(x)
        x = Swish.apply(x)
        pooled = x.mean(1) + torch.cat([h[0], h[1]], dim=-1)
        steps = torch.arange(x.size(1), device=x.device, dtype=x.dtype)
        return self.head(pooled.view(-1, pooled.size(1))) + steps.sum() * self.dummy.sum()

    @torch.no_grad()
    def predict(self, x: torch.FloatTensor) -> Tuple[Tensor, int]:
        was_training = self.training
        self.eval()
        y = self(x).argmax(dim=-1)
        self.train(was_training)
        return y, len(y)


class Pairs(Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, i):
        return torch.full((2,), float(i)), i


def train(steps, x, targets):
    import torch.nn.functional as late
    from torch.optim import SGD

    torch.manual_seed(0)
    model = Model().to(x.dtype)
    optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9)
    schedule = StepLR(optimizer, 2, gamma=0.5)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = late.cross_entropy(model(x), targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def typed():
    return isinstance(torch.zeros(2), torch.FloatTensor), isinstance(torch.zeros(2), torch.LongTensor), torch.LongTensor([1, 2]).dtype == torch.int64


def wrong(x):
    return x @ torch.ones(3, 3)  # the line that the traceback must show
"""


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    path = tmp_path_factory.mktemp("stranger") / "model.py"
    path.write_text(STRANGER)
    spec = importlib.util.spec_from_file_location("strangers_model_in_torch", path)
    reference = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = reference
    spec.loader.exec_module(reference)
    return drop_in.load(path), reference, path


def test_the_same_numbers(stranger):
    ours, theirs, _ = stranger
    ours, theirs = ours.Model().double(), theirs.Model().double()
    theirs.load_state_dict({k: torch.from_numpy(v.numpy().copy()) for k, v in ours.state_dict().items()})
    values = np.random.default_rng(0).standard_normal((4, 5, 8))
    outputs, gradients = [], []
    for T, model in ((framework, ours), (torch, theirs)):
        x = T.tensor(values, requires_grad=True)
        y = model(x)
        (y * y).sum().backward()
        labels, count = model.predict(x)
        assert count == 4 and model.training and not labels.requires_grad
        outputs.append([y.detach().numpy(), labels.numpy(), *(b.numpy() for b in model.buffers())])
        gradients.append([x.grad.numpy(), *(p.grad.numpy() for p in model.parameters())])
    largest = max(np.abs(g).max() for g in gradients[1])
    for a, b in (*zip(*outputs, strict=True), *zip(*gradients, strict=True)):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12 * largest)


def test_torch_means_the_engine_there_and_pytorch_here(stranger):
    ours, theirs, path = stranger
    assert issubclass(ours.Model, framework.nn.Module) and not issubclass(ours.Model, torch.nn.Module)
    assert issubclass(theirs.Model, torch.nn.Module)
    assert sys.modules["torch"] is torch and isinstance(torch.zeros(1), torch.Tensor)
    assert ours.nn_again is ours.nn and ours.optim_again is framework.optim and ours.Tensor is framework.Tensor
    assert isinstance(ours.Variable(framework.ones(1), requires_grad=True), framework.Tensor)
    assert ours.typed() == (True, False, True)
    assert ours.torch.__version__ and str(ours.torch.device("cpu")) == "cpu" and not ours.torch.cuda.is_available()
    assert ours.__file__ == str(path.resolve())


def test_the_engine_imported_in_torchs_place():
    """What PyTorch code reaches through the name `torch`, with `import framework as torch`."""
    from framework.utils.checkpoint import checkpoint
    from framework.utils.data import DataLoader

    assert DataLoader is framework.data.DataLoader is framework.utils.data.DataLoader
    assert checkpoint is framework.utils.checkpoint.checkpoint
    assert framework.cuda.is_available() in (True, False)
    assert isinstance(framework.ones(1), framework.FloatTensor) and framework.LongTensor([2]).dtype == framework.int64
    with pytest.raises(AttributeError, match="framework.utils.*tensorboard"):
        framework.utils.tensorboard  # noqa: B018


def test_imports_made_later_mean_the_engine_too(stranger):
    ours = stranger[0]
    losses = ours.train(4, framework.randn(4, 5, 8), framework.tensor([0, 1, 2, 3]))
    assert len(losses) == 4 and losses[-1] < losses[0]


def test_pickle_copy_dataclass_and_loader(stranger):
    ours = stranger[0]
    config = ours.Config(width=4)
    assert pickle.loads(pickle.dumps(config)) == config and dataclasses.asdict(config)["sizes"] == [3, 5]
    model = ours.Model()
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert type(copied) is ours.Model and repr(copied) == repr(model)
    batches = list(ours.DataLoader(ours.Pairs(), batch_size=4))
    assert [tuple(x.shape) for x, _ in batches] == [(4, 2), (2, 2)] and batches[1][1].tolist() == [4, 5]


def test_each_load_is_a_fresh_module(stranger):
    ours, _, path = stranger
    again = drop_in.load(str(path))
    assert again is not ours and again.Model is not ours.Model and again.__name__ != ours.__name__
    assert sys.modules[ours.__name__] is ours and sys.modules[again.__name__] is again


def test_a_traceback_shows_the_files_own_line(stranger):
    ours, _, path = stranger
    try:
        ours.wrong(framework.ones(2, 2))
    except RuntimeError as error:
        frame = next(
            frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path.resolve())
        )
    assert frame.line.startswith("return x @ torch.ones(3, 3)") and frame.name == "wrong"


# --- which file, and which of its siblings ----------------------------------------------------------------------------


@pytest.mark.parametrize("package", [True, False], ids=["with __init__.py", "plain folders"])
def test_files_of_the_same_package_come_along(tmp_path, package):
    name = f"pkg_{'a' if package else 'b'}"
    folder = tmp_path / name
    (folder / "parts").mkdir(parents=True)
    files = {
        "settings.py": "class Settings:\n    width = 3\n",
        "layers.py": """
            import torch.nn as nn
            from .settings import Settings
            class Twice(nn.Linear):
                def forward(self, x):
                    return super().forward(x) * 2
        """,
        "parts/head.py": "from ..layers import Twice\nclass Head(Twice):\n    pass\n",
        "main.py": """
            import torch
            from .layers import Twice
            from .settings import Settings
            from .parts.head import Head
            from . import layers, settings
            from .parts import head
            def build():
                from .layers import Twice as Late
                assert Late is Twice and layers.Twice is Twice and head.Head is Head and settings.Settings is Settings
                return torch.nn.Sequential(Twice(Settings.width, 2), Head(2, 1))
        """,
    }
    if package:
        files |= {"__init__.py": "", "parts/__init__.py": ""}
    for path, text in files.items():
        (folder / path).write_text(textwrap.dedent(text))
    model = drop_in.load(folder / "main.py").build()
    assert isinstance(model[0], framework.nn.Linear) and isinstance(model[1], framework.nn.Linear)
    assert model(framework.ones(1, 3)).shape == (1, 1)
    assert str(tmp_path) not in sys.path and f"{name}.layers" not in sys.modules


def test_other_packages_of_the_repository_come_along(tmp_path, monkeypatch):
    """models/net.py imports util, which lies beside models: where the repository's folder is searched, as it is in a run."""
    monkeypatch.syspath_prepend(tmp_path)
    for folder in ("models_c/deep", "util_c"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "__init__.py").write_text("")
    (tmp_path / "models_c" / "__init__.py").write_text("")
    (tmp_path / "util_c" / "blocks.py").write_text("from torch import nn\nclass Block(nn.ReLU):\n    pass\n")
    (tmp_path / "models_c" / "deep" / "net.py").write_text(
        "from util_c.blocks import Block\nimport util_c.blocks as blocks\n"
    )
    ours = drop_in.load(tmp_path / "models_c" / "deep" / "net.py")
    assert issubclass(ours.Block, framework.nn.ReLU) and ours.blocks.Block is ours.Block
    assert "util_c.blocks" not in sys.modules


def test_decorators_and_names_that_mean_nothing_here_leave_a_file_as_it_is(tmp_path):
    (tmp_path / "scripted.py").write_text(
        textwrap.dedent("""
            import torch
            import torch.nn.parallel, torch.utils.model_zoo as model_zoo
            from torch.hub import load_state_dict_from_url
            from torch.nn.attention import SDPBackend, sdpa_kernel
            import torch.distributed as dist
            from torch import multiprocessing
            @torch.jit.script
            def double(x):
                return x * 2
            class Net(torch.nn.Linear):
                @torch.jit.ignore
                def forward(self, x, op=dist.ReduceOp.SUM):
                    assert not torch.jit.is_scripting() and not dist.is_initialized()
                    with sdpa_kernel(SDPBackend.MATH):
                        return double(super().forward(x))
            def build():
                return torch.nn.DataParallel(torch.jit.script(Net(2, 3)))
        """)
    )
    ours = drop_in.load(tmp_path / "scripted.py")
    model = ours.build()
    assert list(model.state_dict()) == ["module.weight", "module.bias"] and model(framework.ones(1, 2)).shape == (1, 3)
    with pytest.raises(NotImplementedError, match="download http://x/w.pth"):
        ours.model_zoo.load_url("http://x/w.pth")
    with pytest.raises(NotImplementedError, match="2 devices"):
        framework.nn.DataParallel(model, device_ids=[0, 1])


def test_what_needs_no_torch_is_imported_as_always(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "one-two").mkdir()
    (tmp_path / "one-two" / "facts.py").write_text("class Facts: pass\n")
    (tmp_path / "one-two" / "net.py").write_text(
        "import torch\nimport os.path as p, json\nfrom .facts import Facts\nfrom collections import abc\n"
    )
    ours = drop_in.load("one-two.net")
    assert ours.Facts is importlib.import_module("one-two.facts").Facts
    assert (
        ours.json is importlib.import_module("json")
        and ours.p.join("a", "b") == "a/b"
        and "one-two.net" not in sys.modules
    )


def test_a_package_in_the_absolute_form(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "abspkg"
    folder.mkdir()
    (folder / "__init__.py").write_text("from .blocks import Block\n")
    (folder / "blocks.py").write_text("from torch import nn\nclass Block(nn.ReLU):\n    pass\n")
    (folder / "net.py").write_text(
        "import abspkg.blocks\nimport abspkg.blocks as b\nfrom abspkg import Block\nfrom abspkg.blocks import *\n"
    )
    ours = drop_in.load(folder / "net.py")
    assert ours.Block is ours.b.Block is ours.abspkg.blocks.Block and issubclass(ours.Block, framework.nn.ReLU)


def test_the_models_files_by_name_path_and_module():
    study = importlib.import_module("02_MLP.study")
    by_name = drop_in.load("02_MLP.paper.mlp_paper")
    by_path = drop_in.load(ROOT / "02_MLP" / "paper" / "mlp_paper.py")
    by_module = drop_in.load(importlib.import_module("02_MLP.paper.mlp_paper"))
    for module in (by_name, by_path, by_module):
        assert module.MLPConfig is study.MLPConfig and issubclass(module.MLP, framework.nn.Module)


def test_no_torch_is_needed(tmp_path):
    """In a process where torch cannot be imported, a file written for it is trained."""
    path = tmp_path / "model.py"
    path.write_text(STRANGER)
    program = f"""
        import sys
        sys.modules["torch"] = None
        import framework
        from framework import drop_in
        print(drop_in.load({str(path)!r}).train(2, framework.randn(4, 5, 8), framework.tensor([0, 1, 2, 3])))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and done.stdout.startswith("["), done.stderr


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "error", "match"),
    [
        ("import torch.nn.quantized", ImportError, "torch.nn has no 'quantized'"),
        ("import torch.fx as fx", ImportError, "torch has no 'fx'"),
        ("from torch.optim import LionOptimizer", ImportError, "torch.optim has no 'LionOptimizer'"),
        ("from torch.nn import Conv2D", ImportError, "torch.nn has no 'Conv2D'.*near: .*Conv2d"),
        ("from torch import sotfmax", ImportError, "torch has no 'sotfmax'.*near: .*softmax"),
        ("import torch\ntorch.sofmax", AttributeError, "torch has no 'sofmax'.*near: .*softmax"),
        ("import torch\ntorch.nn.Conv2D", AttributeError, "torch.nn has no 'Conv2D'.*near: .*Conv2d"),
        ("import torch\ntorch.drop_in", AttributeError, "torch has no 'drop_in'"),
        ("from .nothing import x", ImportError, "nothing"),
        ("1 / 0", ZeroDivisionError, ""),
        ("def f(:", SyntaxError, ""),
    ],
)
def test_what_is_missing_is_refused_by_name(tmp_path, line, error, match):
    path = tmp_path / "model.py"
    path.write_text(line)
    before = set(sys.modules)
    with pytest.raises(error, match=match):
        drop_in.load(path)
    assert not [name for name in set(sys.modules) - before if "model@" in name], "a file that failed is left behind"


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ("no_such/file.py", "no file"),
        ("no_such.module", "neither a file nor a module"),
        ("json.nothing", "neither"),
        (sys, "has no .py file"),
    ],
)
def test_what_is_not_there(source, match):
    with pytest.raises((FileNotFoundError, ModuleNotFoundError), match=match):
        drop_in.load(source)
