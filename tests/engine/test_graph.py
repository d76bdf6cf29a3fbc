"""What graph.py says of a graph that is known box by box; what the profiler counts; and the two commands."""

import builtins
import re

import numpy as np
import pytest

import framework
from dlfs.cli import main
from framework import Tensor
from framework.graph import Graph, count, readable_bytes
from framework.profiler import profile


def leaf(*shape):
    return Tensor(np.ones(shape, np.float32), requires_grad=True)


@pytest.fixture
def small():
    x, w, b = Tensor(np.ones((4, 3), np.float32)), leaf(4, 3), leaf(3)
    return lambda: framework.tanh(x * w + b).exp() * b.sum(), {"w": w, "b": b}


def test_boxes_and_arrows(small):
    function, names = small
    graph = Graph(function(), names)
    assert [box.label for box in graph.boxes if box.leaf] == ["b", "w"] or [
        box.label for box in graph.boxes if box.leaf
    ] == ["w", "b"]
    ops = [box.label for box in graph.boxes if not box.leaf]
    assert ops == ["mul", "add", "tanh", "exp", "sum", "mul → output"]
    labelled = {(graph.boxes[a].label, graph.boxes[b].label) for a, b in graph.arrows}
    assert labelled == {
        ("w", "mul"), ("mul", "add"), ("b", "add"), ("add", "tanh"), ("tanh", "exp"), ("b", "sum"),
        ("exp", "mul → output"), ("sum", "mul → output"),
    }  # fmt: skip


def test_a_folded_chain_is_one_box(small):
    function, names = small
    folded = Graph(function(), names).folded()
    assert {box.label for box in folded.boxes} == {"w", "b", "sum", "mul · add · tanh · exp · mul → output"}
    assert len(folded.arrows) == 4


def test_only_elementwise_ops_with_one_consumer_fold():
    w = leaf(3)
    h = w.exp()
    folded = Graph((h.tanh() + h.sin()).sum()).folded()
    assert sorted(box.label for box in folded.boxes) == ["exp", "leaf 1", "sum → output", "tanh · sin · add"]


def test_dot_and_mermaid_name_every_box_with_shape_dtype_and_size(small):
    function, names = small
    graph = Graph(function(), names)
    dot, mermaid = graph.dot(), graph.mermaid()
    assert dot.count("->") == mermaid.count("-->") == len(graph.arrows)
    assert r"w\nfloat32 (4, 3)\n48 B" in dot and "b<br/>float32 (3)<br/>12 B" in mermaid
    assert len(re.findall(r"fillcolor", dot)) == len(re.findall(r":::leaf", mermaid)) == 2
    assert dot.startswith("digraph {") and mermaid.startswith("flowchart TB")


def test_saved_bytes_count_each_buffer_once_and_no_parameter():
    w = leaf(100)
    h = w * w.detach()  # saves what is the parameter's own memory
    assert Graph(h, {"w": w}).saved_bytes == 0
    y = h.exp()  # saves its output
    z = y * y  # saves y on both sides, the same buffer
    assert Graph(z, {"w": w}).saved_bytes == 400


def test_count_compares_with_a_graph_that_keeps_everything(small):
    function, names = small
    counted = count(function, names)
    assert (counted.ops_run, counted.nodes, counted.folded_boxes) == (6, 6, 2)
    with framework.no_grad():
        constant = leaf(1000) * 2 + 1
    counted = count(lambda: (constant.exp() + constant.sin()) * names["b"].sum(), names)
    assert (counted.ops_run, counted.nodes) == (5, 2)
    assert counted.bytes_touched > 4 * 4000 and counted.bytes_saved == 4000


def test_what_has_no_graph_is_refused(small):
    function, names = small
    with pytest.raises(ValueError, match="no graph"):
        Graph(leaf(3))
    y = function()
    y.sum().backward()
    with pytest.raises(ValueError, match="freed by backward"):
        Graph(y)


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_render_draws_a_picture(small, tmp_path, suffix):
    function, names = small
    path = Graph(function(), names).render(tmp_path / f"graph.{suffix}")
    head = path.read_bytes()[:8]
    assert head.startswith(b"<?xml") if suffix == "svg" else head == b"\x89PNG\r\n\x1a\n"


def test_without_matplotlib_the_text_is_written_and_the_command_named(small, tmp_path, monkeypatch):
    function, names = small
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RuntimeError, match="dot -Tsvg"):
        Graph(function(), names).render(tmp_path / "graph.svg")
    assert (tmp_path / "graph.dot").read_text().startswith("digraph")


def test_the_layout_puts_every_box_below_its_sources_and_no_two_in_one_place(small):
    function, names = small
    graph = Graph(function(), names)
    places, routes = graph._layout()
    assert all(places[a][1] < places[b][1] for a, b in graph.arrows)
    assert len({places[i] for i in range(len(graph.boxes))}) == len(graph.boxes)
    assert all(places[q][1] - places[p][1] == 1 for route in routes for p, q in zip(route, route[1:], strict=False))


def test_readable_bytes():
    assert [readable_bytes(n) for n in (812, 3174, 4 << 20, 3 << 30)] == ["812 B", "3.1 KiB", "4.0 MiB", "3.0 GiB"]


def test_the_profile_counts_calls_and_bytes(small):
    function, _ = small
    with profile() as measured:
        function().sum().backward()
    records = measured.records
    assert {name: record.calls for name, record in records.items()} == {
        "mul": 2,
        "add": 1,
        "tanh": 1,
        "exp": 1,
        "sum": 2,
    }
    assert records["exp"].forward_bytes == records["exp"].backward_bytes == 48
    assert sum(record.seconds for record in records.values()) < measured.wall_seconds
    assert "outside ops" in measured.table()
    function()
    assert records["exp"].calls == 1  # nothing is watched outside the block


def test_a_nested_op_is_not_counted_twice():
    with profile() as measured:
        (leaf(64, 64) @ leaf(64, 64)).sum().backward()
    assert measured.op_seconds <= measured.wall_seconds


def test_the_commands(capsys, tmp_path):
    for arguments, expected in (
        (["graph", "02", "--fold"], "flowchart TB"),
        (["graph", "mlp", "--out", str(tmp_path / "g.dot")], "recorded:"),
        (["profile", "02", "--steps", "2"], "cross_entropy"),
    ):
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        assert exit_.value.code == 0
        assert expected in capsys.readouterr().out
    with pytest.raises(SystemExit) as exit_:
        main(["graph", "02", "--out", str(tmp_path / "g.xyz")])
    assert exit_.value.code != 0 and ".svg" in capsys.readouterr().err


def test_the_command_makes_folders_for_what_it_writes_and_for_nothing_else(tmp_path):
    for out, status in ((tmp_path / "new" / "g.mmd", 0), (tmp_path / "other" / "g.xyz", 1)):
        with pytest.raises(SystemExit) as exit_:
            main(["graph", "02", "--out", str(out)])
        assert exit_.value.code == status and out.exists() == out.parent.exists() == (status == 0)
