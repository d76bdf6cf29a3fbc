"""`dlfs pictures`, what it draws with, and the options of `dlfs train` for augmentation."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from dlfs.cli import main
from dlfs.levels import build_level
from dlfs.studies import find_study
from utils.training_utils import read_checkpoint
from utils.visualization import (
    as_pixels,
    confusion_matrix,
    cosines,
    decision_boundary,
    image_rows,
    lines,
    new_figure,
    save,
)


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_:
        main(list(arguments))
    out, err = capsys.readouterr()
    return exit_.value.code, out, err


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "digits"
    with pytest.raises(SystemExit) as exit_:
        main(["train", "03", "--level", "engine", "--epochs", "1", "--save-dir", str(folder)])
    assert exit_.value.code == 0
    return folder


def test_every_picture_that_the_folder_names_is_drawn(capsys, trained, tmp_path):
    status, out, _ = run(capsys, "pictures", "03", str(trained), "--out", str(tmp_path / "new"))
    names = [f"digits-{name}.png" for name in find_study("03").module("pictures.py").PICTURES["digits"]]
    assert status == 0 and [Path(line).name for line in out.splitlines()] == names and len(names) >= 4
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(names)
    assert all((tmp_path / "new" / name).read_bytes().startswith(b"\x89PNG") for name in names)


def test_pictures_go_to_the_run_and_only_if_asked_to_the_model(capsys, trained, monkeypatch, tmp_path):
    drawn = {}
    monkeypatch.setattr("dlfs.commands.pictures.save", lambda path, draw: drawn.setdefault(path.parent, path))
    assert run(capsys, "pictures", "03", str(trained))[0] == 0
    assert run(capsys, "pictures", "03", str(trained), "--record")[0] == 0
    assert list(drawn) == [trained / "pictures", find_study("03").folder / "pictures"]
    status, _, err = run(capsys, "pictures", "03", str(trained), "--record", "--out", str(tmp_path))
    assert status == 2 and "give one of them" in err


def test_pictures_show_the_weights_of_the_run(trained):
    study = find_study("03")
    level = importlib.import_module("dlfs.commands.pictures").trained_level(study, trained, "engine", "digits")
    saved = read_checkpoint(trained / "engine" / "checkpoint.safetensors")["model"]
    initial = build_level(study, "by-hand", study.recipe("digits")[1]["config"]).state()
    for name, array in level.state().items():
        np.testing.assert_array_equal(array, getattr(saved[name], "array", saved[name]))
        assert name == "output.codes" or not np.array_equal(array, initial[name])


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ({"model": "02_MLP"}, [], "holds a run of 02_MLP: dlfs pictures 02"),
        ({"data": "noise"}, [], "03_CNN_LeNet/pictures.py draws nothing of noise. It draws of: digits, mnist, cifar10"),
        ({}, ["--level", "paper"], "holds no checkpoint of paper"),
    ],
    ids=["model", "data", "level"],
)
def test_pictures_refuses(capsys, trained, tmp_path, change, arguments, message):
    facts = json.loads((trained / "run.json").read_text()) | change
    (tmp_path / "run.json").write_text(json.dumps(facts))
    status, _, err = run(capsys, "pictures", "03", str(tmp_path), *arguments)
    assert status == 1 and message in " ".join(err.split())


def test_a_confusion_matrix_counts_true_classes_in_rows():
    figure = confusion_matrix("", np.array([0, 0, 1, 2]), np.array([0, 2, 1, 0]), ["a", "b", "c"])
    texts = {tuple(map(int, text.get_position()[::-1])): text.get_text() for text in figure.axes[0].texts}
    assert texts == {(0, 0): "1", (0, 2): "1", (1, 1): "1", (2, 0): "1"}  # (true, taken for)


def test_cosines_do_not_depend_on_lengths():
    image = cosines("", np.array([[2.0, 0.0], [0.0, 0.1], [-3.0, 3.0]]), "").axes[0].images[0]
    np.testing.assert_allclose(
        image.get_array(), [[1, 0, -(0.5**0.5)], [0, 1, 0.5**0.5], [-(0.5**0.5), 0.5**0.5, 1]], atol=1e-15
    )


def test_a_colour_is_the_last_axis_of_an_image():
    image = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    assert as_pixels(image)[1, 2].tolist() == image[:, 1, 2].tolist()
    assert as_pixels(image[:1]).tolist() == image[0].tolist()


def test_rows_of_images_share_a_scale_and_leave_gaps(tmp_path):
    images = [np.zeros((3, 3)), None, np.full((3, 3), 5.0)]
    figure = image_rows("title", [("first", images), ("second", images[:1])])
    drawn = [axes.images for axes in figure.axes]
    assert [len(artists) for artists in drawn] == [1, 0, 1, 1, 0, 0]
    assert drawn[0][0].get_clim() == drawn[2][0].get_clim() == (0, 5)
    save(tmp_path / "sub" / "rows.png", lambda: figure)
    assert (tmp_path / "sub" / "rows.png").read_bytes().startswith(b"\x89PNG")


def test_a_signed_row_has_zero_in_the_middle_of_its_scale():
    figure = image_rows("title", [("weights", [np.array([[-1.0, 0.0]]), np.array([[3.0, 2.0]])])], signed=True)
    assert all(axes.images[0].get_clim() == (-3, 3) for axes in figure.axes)


def test_lines_are_named_at_their_ends_in_order_and_apart():
    axes = new_figure(6, 4, "title").subplots()
    ends = {"low": 0.0, "nearly": 0.999, "nearly too": 1.0, "same": 1.0}
    lines(axes, {name: ([0, 1], [0.5, end]) for name, end in ends.items()}, "x", "y")
    heights = [text.get_position()[1] for text in axes.texts]
    assert [text.get_text() for text in axes.texts] == list(ends)
    assert heights == sorted(heights) and heights[-1] <= 1 and np.diff(heights).min() > 0.03


def test_a_decision_boundary_runs_where_the_classes_are_equally_likely(tmp_path):
    x, y = np.array([[0.0, 0.0], [4.0, 1.0], [1.0, 1.0], [3.0, 0.0]]), np.array([0, 1, 0, 1])

    def scores(points):
        p = 1 / (1 + np.exp(2 - points[:, 0]))  # ½ at 2
        return np.stack([1 - p, p], axis=1)

    figure = new_figure(5, 4, "title")
    axes = figure.subplots()
    decision_boundary(axes, scores, x, y, ["left", "right"])
    paths = [path for contour in axes.collections for path in contour.get_paths()]
    assert any(len(path.vertices) > 100 and np.allclose(path.vertices[:, 0], 2, atol=0.01) for path in paths)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["left", "right"]
    save(tmp_path / "boundary.png", lambda: figure)


def test_augment_is_refused_where_the_recipe_has_none(capsys, tmp_path):
    status, _, err = run(capsys, "train", "03", "--augment", "--save-dir", str(tmp_path / "run"))
    expected = "03_CNN_LeNet has no --augment for digits. Data with one: mnist, cifar10"
    assert status == 2 and expected in " ".join(err.split()) and not (tmp_path / "run").exists()
    status, _, err = run(capsys, "train", "02", "--augment")
    assert status == 2 and "02_MLP has no --augment for digits. Data with one: none" in " ".join(err.split())


def test_a_config_finds_its_class_and_its_files():
    study = find_study("03")
    lenet, cnn = (study.recipe(data)[1]["config"] for data in ("mnist", "cifar10"))
    for level in ("by-hand", "engine", "lowlevel", "paper"):
        assert type(build_level(study, level, lenet).model).__name__ == "LeNet5"
        assert type(build_level(study, level, cnn).model).__name__ == "CNN"
    assert find_study("02").model(None) == ("MLP", find_study("02").levels)
