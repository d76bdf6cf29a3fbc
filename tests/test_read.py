"""Reading production code: references are found by syntax, the lock knows what became of them, guides show live source."""

import hashlib
import importlib.util
import inspect
import io
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from rich.console import Console

from dlfs import calls, guides
from dlfs.cli import main
from dlfs.commands.read import markdown
from dlfs.guides import Guide, check, failures, guide_folders, guides_in, in_full, locked, pinned, referred, unused
from dlfs.references import Environment, Missing, PackageMissing, Reference
from dlfs.studies import ROOT
from utils.errors import DLFSError, UsageError

FOLDERS = guide_folders()
ANALYSES = [folder for folder in FOLDERS if folder.name == "analysis"]
HERE = Environment()


def run(capsys, *arguments):
    """Call `dlfs read` in this process: (exit status, stdout, stderr)."""
    with pytest.raises(SystemExit) as exit_:
        main(["read", *arguments])
    out, err = capsys.readouterr()
    return exit_.value.code, out, err


def squeezed(text):
    """Without white space, as lines are broken where a terminal's width wants it."""
    return "".join(text.split())


# ----------------------------------------------------------------------------------------------- The project's guides


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.relative_to(ROOT).as_posix())
def test_every_reference_is_where_the_lock_says_on_the_pinned_versions(folder):
    findings = check(referred(folder), locked(folder), HERE)
    assert [f"{f.status} {f.reference} {f.note}" for f in findings if f.status != "same"] == []
    assert unused(folder) == []
    for reference, entry in locked(folder).items():
        assert entry["version"] == pinned(entry["package"]), (
            f"{reference} is locked to another version than constraints.txt's"
        )


@pytest.mark.parametrize("folder", ANALYSES, ids=lambda folder: folder.parent.name)
def test_the_trees_of_calls_are_those_of_the_installed_package(capsys, folder):
    status, out, _ = run(capsys, folder.parent.name, "--calls", "--check")
    assert status == 0, out


@pytest.mark.parametrize("folder", ANALYSES, ids=lambda folder: folder.parent.name)
def test_every_guide_renders_with_its_source(capsys, folder):
    for guide in guides_in(folder):
        status, out, err = run(capsys, folder.parent.name, guide.path.stem)
        assert status == 0 and not err and "{src}" not in out and "file://" not in out
        for piece in guide.pieces():
            if isinstance(piece, list):
                for reference in piece:
                    first = HERE.find(reference).source.splitlines()[0]
                    assert squeezed(str(reference)) in squeezed(out) and squeezed(first) in squeezed(out)


# ------------------------------------------------------------------------------------------------- Finding the source


@pytest.mark.parametrize(
    "name",
    [
        "timm.models.resnet:BasicBlock",
        "timm.models.resnet:BasicBlock.forward",
        "timm.models.resnet:resnet50",  # decorated
        "timm.layers:DropPath",  # re-exported
        "timm:create_model",  # re-exported twice
        "torchvision.models.resnet:ResNet.load_state_dict",  # inherited, from another package
        "torchvision.models:resnet18",  # through `from .resnet import *`
        "torch.nn:Conv2d.forward",
        "transformers.models.gpt2.modeling_gpt2:GPT2LMHeadModel.generate",  # inherited twice over
        "json:JSONDecoder.decode",
    ],
)
def test_the_source_is_what_inspect_finds_by_importing(name):
    reference = Reference.parse(name)
    found = HERE.find(reference)
    target = importlib.import_module(reference.module)
    for part in reference.symbol.split("."):
        target = getattr(target, part)
    target = inspect.unwrap(target)
    lines, first = inspect.getsourcelines(target)
    assert found.file == Path(inspect.getsourcefile(target)) and found.span[0] == first
    assert found.source == textwrap.dedent("".join(lines)).rstrip("\n")
    assert found.hash == hashlib.sha256(found.source.encode()).hexdigest()[:16]


def test_nothing_is_imported_to_find_it():
    program = (
        "import sys; from dlfs.references import *; e = Environment()\n"
        "print(e.find(Reference.parse('timm.models.resnet:ResNet.load_state_dict')).path)\n"
        "print(sorted({'torch', 'timm', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.split("\n")[:2] == ["torch/nn/modules/module.py", "[]"]


PACKAGE = {
    "pack/__init__.py": "from .core import *\nfrom . import core as kernel\nfrom .core import Base as Basis\n",
    "pack/core.py": '''
        from typing import overload
        import pack.other as other

        try:
            import fast
            def quick(x):
                return fast.f(x)
        except ImportError:
            def quick(x):
                return None

        @overload
        def twice(x: int) -> int: ...
        def twice(x):
            return 2 * x

        class Base(other.Root[int]):
            """Words.

            More.
            Words.
            """

            @property
            def size(self):
                return 1

            @size.setter
            def size(self, value):
                pass

            def run(
                self, x,  # (B,)
            ):
                """Runs."""
                for i in range(3):
                    x = x + i
                x = x + 1
                if x:
                    x = 0
                elif x is None:
                    x = 2
                return x

        class Derived(Base):
            pass

        TABLE: dict = {
            "a": 1,
            "b": [
                2,
            ],
        }
        ''',
    "pack/other.py": "class Root:\n    def rooted(self):\n        return 'root'\n",
    "pack-1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: pack\nVersion: 1.2+cpu\n",
}


@pytest.fixture
def site(tmp_path):
    """A folder like site-packages with one package in it."""
    for name, text in PACKAGE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text).lstrip("\n"))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "path", "source"),
    [
        ("pack:twice", "pack/core.py", "def twice(x):\n    return 2 * x"),
        ("pack:Basis.size", "pack/core.py", "@property\ndef size(self):\n    return 1"),
        ("pack:kernel.quick", "pack/core.py", "def quick(x):\n    return fast.f(x)"),
        ("pack:Derived.rooted", "pack/other.py", "def rooted(self):\n    return 'root'"),
        ("pack.core:other.Root.rooted", "pack/other.py", "def rooted(self):\n    return 'root'"),
        ("pack:Base.run def", "pack/core.py", "def run(\n    self, x,  # (B,)\n):"),
        ("pack:Base.run x=x+1", "pack/core.py", "x = x + 1"),
        ("pack:Base.run x = x + i", "pack/core.py", "x = x + i"),
        ("pack:Base.run elif", "pack/core.py", "elif x is None:\n    x = 2"),
        ("pack:Base.run x = x + 1 ... if x", "pack/core.py", "x = x + 1\nif x:\n    x = 0\nelif x is None:\n    x = 2"),
        ("pack:Base def run", "pack/core.py", None),
        ("pack:TABLE 'b'", "pack/core.py", None),
        ('pack:TABLE "b"', "pack/core.py", '"b": [\n    2,\n],'),
    ],
)
def test_symbols_are_followed_and_parts_are_cut_out(site, name, path, source):
    environment = Environment([str(site)])
    if name == "pack:TABLE 'b'":
        with pytest.raises(Missing, match="no statement of pack:TABLE begins with \"'b'\""):
            environment.find(Reference.parse(name))
        return
    found = environment.find(Reference.parse(name))
    assert (found.path, found.version) == (path, "1.2")
    assert source is None or found.source == source
    assert (
        site.joinpath(path).read_text().splitlines()[found.span[0] - 1].strip() == found.source.splitlines()[0].strip()
    )


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("pack:Bas", Missing, "pack has no Bas"),
        ("pack.core:twic", Missing, r"pack.core has no twic. Did you mean twice\?"),
        ("pack:Base.runs", Missing, r"pack.core:Base has no runs. Did you mean run\?"),
        ("pack.cor:twice", Missing, "pack 1.2 has no module pack.cor"),
        ("pack:kernel", Missing, "pack.core is a module: leave out the colon"),
        ("pack:Base.run y", Missing, "no statement of pack:Base.run begins with 'y'"),
        ("pack:Base @", UsageError, "pack:Base @: 2 statements begin so"),
        ("pick:x", PackageMissing, "there is no pick in "),
    ],
)
def test_what_is_not_there_is_named(site, name, error, message):
    with pytest.raises(error, match=message):
        Environment([str(site)]).find(Reference.parse(name))


def test_a_path_is_its_modules_name():
    for path in ("framework/autograd.py:walk", "framework.autograd:walk"):
        assert Reference.parse(path) == Reference("framework.autograd", "walk")
    assert Reference.parse("framework/ops/define.py") == Reference("framework.ops.define")


def test_what_is_asked_for_by_name_is_shown_whole(capsys):
    """Its docstring, too, which a guide folds; a name that is not there is an error."""
    assert run(capsys, "framework/autograd.py:walk")[0] == 0
    code, out, _ = run(capsys, "framework/autograd.py:Node")
    assert code == 0 and "more lines of text" not in out
    assert "▌ framework.readable" in run(capsys, "framework.readable")[1]
    code, _, error = run(capsys, "framework.autograd:nope")
    assert code == 1 and "has no nope" in error


@pytest.mark.parametrize("text", ["", "a b", "a:", "a.:b", ":b", "a//b:c", "a:b.c."])
def test_what_is_no_reference_is_refused(text):
    with pytest.raises(UsageError, match="is no reference"):
        Reference.parse(text)


def test_another_environment_is_found_by_its_python_its_folder_and_its_packages(site, tmp_path):
    root = tmp_path / "venv"
    packages = root / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    (site / "pack").rename(packages / "pack")
    for path in (root, packages):
        assert Environment.at(path).find(Reference("pack", "twice")).path == "pack/core.py"
    assert Environment.at(Path(sys.executable)).find(Reference("rich.table", "Table")).path == "rich/table.py"
    with pytest.raises(UsageError, match="no such file or folder"):
        Environment.at(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="does not run as a Python"):
        Environment.at(tmp_path / "file")


# ------------------------------------------------------------------------------------------------------ Guide and lock

PAGE = """\
---
title: not shown
---
# Two ways

In words `{src}pack:twice`, and in a table:

| a |
|---|
| `{src}pack:Base.run` |

`{src}pack:twice`
`{src}pack:Base.run x =
x + 1`

```text
`{src}pack:nothing`
```

`{src}pack` and no more.
"""


@pytest.fixture
def guide(site):
    folder = site / "13_Diffusion" / "analysis"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text(PAGE)
    return Guide(folder / "README.md", folder)


def test_a_guide_is_text_and_references(guide):
    first, block, last = guide.pieces()
    assert first.startswith("# Two ways") and "| `{src}pack:Base.run` |" in first
    assert block == [Reference("pack", "twice"), Reference("pack", "Base.run", "x = x + 1")]
    assert "pack:nothing" in last and last.endswith("no more.\n")
    assert guide.title == "Two ways"
    assert list(map(str, guide.references())) == ["pack:twice", "pack:Base.run", "pack:Base.run x = x + 1", "pack"]


@pytest.fixture
def entries(guide, site, monkeypatch):
    monkeypatch.setattr(guides, "pinned", lambda package: "1.2")
    return json.loads(guides.lock(guide.folder, Environment([str(site)])))


def statuses(guide, site, entries):
    environment = Environment([str(site)])
    findings = check(guide.references(), entries, environment)
    return [finding.status for finding in findings], bool(failures(findings, environment))


def edit(site, file, old, new):
    text = (site / file).read_text()
    assert text.count(old) == 1
    (site / file).write_text(text.replace(old, new))
    from dlfs import references

    references.read.cache_clear()
    references.parse.cache_clear()


def test_in_a_table_the_head_of_a_column_names_the_module():
    table = "| ours: `{src}a.b` | theirs |\n|---|---|\n| `{src}:C.d`, `{src}:e` | `{src}x.y:z` |\n\nA `{src}a.b:f` | in a sentence\n"
    assert in_full(table) == table.replace("{src}:", "{src}a.b:")
    without = "| one | two |\n|---|---|\n| `{src}:C` | |\n"
    assert in_full(without) == without  # and is refused as no reference


def test_the_lock_keeps_package_version_path_lines_and_hash(entries):
    assert entries["pack"] == {"package": "pack", "version": "1.2", "path": "pack/__init__.py"}
    twice = entries["pack:twice"]
    assert twice | {"hash": ""} == {
        "package": "pack",
        "version": "1.2",
        "path": "pack/core.py",
        "lines": [14, 15],
        "hash": "",
    }
    assert twice["hash"] == hashlib.sha256(b"def twice(x):\n    return 2 * x").hexdigest()[:16]


def test_the_same_is_the_same(guide, site, entries):
    assert statuses(guide, site, entries) == (["same"] * 4, False)


def test_moved_fails_on_the_version_it_was_written_about_alone(guide, site, entries):
    edit(site, "pack/core.py", "from typing", "# a line\nfrom typing")
    assert statuses(guide, site, entries) == (["moved", "moved", "moved", "same"], True)
    edit(site, "pack-1.2.dist-info/METADATA", "1.2+cpu", "1.3")
    assert statuses(guide, site, entries) == (["moved", "moved", "moved", "same"], False)


def test_indented_elsewhere_is_moved_and_not_changed(guide, site, entries):
    edit(site, "pack/core.py", "def twice(x):\n    return 2 * x", "if True:\n    def twice(x):\n        return 2 * x")
    assert statuses(guide, site, entries)[0][0] == "moved"


def test_changed_missing_and_unlocked_fail_on_any_version(guide, site, entries):
    edit(site, "pack-1.2.dist-info/METADATA", "1.2+cpu", "1.3")
    edit(site, "pack/core.py", "return 2 * x", "return x + x")
    assert statuses(guide, site, entries) == (["changed", "same", "same", "same"], True)
    edit(site, "pack/core.py", "def run(", "def walk(")
    assert statuses(guide, site, entries) == (["changed", "missing", "missing", "same"], True)
    del entries["pack"]
    assert statuses(guide, site, entries)[0][3] == "unlocked"


def test_what_no_guide_refers_to_is_unused(guide, entries):
    (guide.folder / "references.json").write_text(json.dumps(entries | {"pack:quick": {}}))
    assert unused(guide.folder) == ["pack:quick"]


def test_only_the_pinned_versions_are_locked(guide, site, monkeypatch):
    monkeypatch.setattr(guides, "pinned", lambda package: "1.4")
    with pytest.raises(DLFSError, match="pack 1.2 is installed, and constraints.txt has 1.4"):
        guides.lock(guide.folder, Environment([str(site)]))


def test_a_reference_that_is_none_is_named_with_its_file(guide):
    guide.path.write_text("`{src}pack twice`\n")
    with pytest.raises(DLFSError, match="README.md: 'pack twice' is no reference"):
        guide.references()


# --------------------------------------------------------------------------------------------------------- The command


def test_read_lists_the_guides(capsys):
    status, out, _ = run(capsys)
    assert status == 0 and "dlfs read 05" in out and "Reading ResNet" in out


def test_read_shows_any_symbol_with_version_file_and_line(capsys):
    status, out, _ = run(capsys, "timm.layers:DropPath")
    found = HERE.find(Reference.parse("timm.layers.drop:DropPath"))
    assert status == 0 and f"timm {pinned('timm')}" in out and f"drop.py:{found.span[0]}" in out.replace("\n", "")
    status, out, _ = run(capsys, "timm.models.resnet:BasicBlock.forward", "x += shortcut")
    assert status == 0 and "x += shortcut" in out and "conv1" not in out


def test_read_check_says_how_many_are_the_same(capsys):
    status, out, _ = run(capsys, "05", "--check")
    assert status == 0 and f" same (timm {pinned('timm')}, torchvision {pinned('torchvision')})" in " ".join(
        out.split()
    )


def test_read_check_against_another_version_shows_what_changed(capsys, tmp_path):
    """The installed files, with one line changed in one of them."""
    for name in ("timm", "torchvision"):
        (tmp_path / name).mkdir()
        for entry in Path(importlib.util.find_spec(name).origin).parent.iterdir():
            if entry.name != "models":
                (tmp_path / name / entry.name).symlink_to(entry)
        (tmp_path / name / "models").mkdir()
        for entry in (Path(importlib.util.find_spec(name).origin).parent / "models").iterdir():
            (tmp_path / name / "models" / entry.name).symlink_to(entry)
    changed = tmp_path / "timm" / "models" / "resnet.py"
    text = changed.read_text().replace("x += shortcut\n", "x += shortcut  # there\n")
    changed.unlink()
    changed.write_text(text)
    status, out, _ = run(capsys, "05", "--check", "--against", str(tmp_path), "--diff")
    assert status == 1 and "missing" not in out and "moved" not in out
    assert "changed   timm.models.resnet:Bottleneck.forward" in out
    assert "-    x += shortcut\n" in out.replace(" \n", "\n") and "+    x += shortcut  # there" in out
    status, _, err = run(capsys, "05", "--check", "--against", str(tmp_path / "timm" / "data"))
    assert status == 1 and "there is no timm in" in err or "there is no torchvision in" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["01"], "01_Linear_Logistic has no guide to production code. There are some for 05_ResNet"),
        (["05", "tim", "--lock", "--check"], "--lock goes with no other option"),
        (["05", "vgg"], "05 has no page 'vgg'. Valid: README, "),
        (["nowhere.md"], "there is no file nowhere.md"),
        (["05", "--diff"], "--diff shows how another environment differs: name it with --against"),
        (["--calls"], "--calls traces the models of one guide: name it"),
        (["timm:create_modl"], "timm has no create_modl. Did you mean create_model"),
    ],
)
def test_what_is_asked_wrongly_is_answered_in_one_line(capsys, arguments, message):
    status, _, err = run(capsys, *arguments)
    assert status and message in err and err.count("\n") == 1


def test_without_the_package_a_guide_still_reads_and_says_how_to_install_it(capsys, monkeypatch):
    def nothing(self, module):
        raise PackageMissing("timm is not installed: pip install …")

    monkeypatch.setattr(Environment, "module_file", nothing)
    status, out, _ = run(capsys, "05", "timm")
    assert (
        status == 0 and "timm is not installed: pip install …" in out and "where is the door" in " ".join(out.split())
    )
    status, _, err = run(capsys, "05", "--check")
    assert status == 1 and err == "dlfs read 05: timm is not installed: pip install …\n"


# ------------------------------------------------------------------------------------------------------ Trees of calls


def test_a_tree_holds_the_package_s_functions_and_the_layers_of_torch():
    import torch
    from torchvision.models.resnet import BasicBlock, ResNet

    tree = calls.traced(ResNet(BasicBlock, [1, 1, 1, 1], num_classes=3), (torch.zeros(2, 3, 32, 32),))
    assert (tree.function, tree.module, tree.returned) == ("ResNet.forward", "torchvision.models.resnet", "(2, 3)")
    (body,) = tree.calls
    assert body.function == "ResNet._forward_impl"
    assert [call.name for call in body.calls] == "conv1 bn1 relu maxpool layer1 layer2 layer3 layer4 avgpool fc".split()
    (block,) = body.calls[5].calls
    assert [call.function.split(".")[0] for call in block.calls] == (
        "Conv2d BatchNorm2d ReLU Conv2d BatchNorm2d Sequential ReLU".split()
    )
    text = calls.drawn(tree)
    assert "Sequential.forward, as above" in text and text.splitlines()[0].split() == (
        "torchvision.models.resnet:ResNet.forward → (2, 3)".split()
    )


def test_a_tree_of_an_unknown_name_is_refused():
    with pytest.raises(DLFSError, match="calls.py has no function 'jax'. It has timm"):
        calls.renewed("<!-- calls jax -->\n<!-- /calls -->", {"timm": None})


def test_a_tree_leaves_out_questions_bookkeeping_and_wrappers():
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(n_layer=2, n_embd=8, n_head=2, vocab_size=5, bos_token_id=0, eos_token_id=0)
    tree = calls.traced(GPT2LMHeadModel(config), (torch.zeros(1, 3, dtype=torch.long),))
    assert (tree.function, tree.returned[:18]) == ("GPT2LMHeadModel.forward", "logits (1, 3, 5)")
    block = next(call for call in tree.calls[0].calls if call.name == "transformer.h.0")
    assert block.calls[1].calls[0].name == "transformer.h.0.attn.c_attn"
    text = calls.drawn(tree)
    assert "GPT2Block.forward, as above" in text
    assert "is_" not in text and "PreTrainedConfig" not in text and "wrapper" not in text


def test_a_tree_of_another_method_and_one_that_is_too_wide():
    import torch
    from torchvision.models.resnet import BasicBlock, ResNet

    tree = calls.traced(ResNet(BasicBlock, [1, 1, 1, 1], num_classes=3), (torch.zeros(2, 3, 32, 32),), "_forward_impl")
    assert (tree.function, tree.returned) == ("ResNet._forward_impl", "(2, 3)")

    def made(width):
        linear = calls.Call(
            "Linear.forward", "torch.nn.modules.linear", "body.h.0.fc", "(1, 2), (3, 4)" + ", (5, 6)" * width
        )
        block = calls.Call("Block.forward", "pack.net", "body.h.0", "(1, 2)", [linear])
        mask = calls.Call("mask", "pack.masks", "", "(2, 2)")
        return calls.Call("Body.forward", "pack.net", "body", "(1, 2)", [mask, block])

    assert [line.split() for line in calls.drawn(made(0)).splitlines()] == [
        "pack.net:Body.forward body → (1, 2)".split(),
        "mask → (2, 2) pack.masks".split(),
        "Block.forward body.h.0 → (1, 2)".split(),
        "Linear.forward body.h.0.fc → (1, 2), (3, 4)".split(),
    ]
    assert [line.split() for line in calls.drawn(made(20)).splitlines()] == [
        "pack.net:Body.forward body → (1, 2)".split(),
        "mask (masks) → (2, 2)".split(),
        "Block.forward h.0 → (1, 2)".split(),
        "Linear.forward fc → (1, 2), …".split(),
    ]


def test_a_narrow_table_shows_every_name_whole():
    console = Console(width=40, file=io.StringIO())
    console.print(
        markdown(
            "| file | what |\n|---|---|\n| `torchvision.models.feature_extraction` | any inner node of any model |\n"
        )
    )
    rows = [line.split("  ")[0].strip() for line in console.file.getvalue().splitlines()]
    assert "torchvision.models.feature_extraction" in "".join(rows) and "…" not in console.file.getvalue()
