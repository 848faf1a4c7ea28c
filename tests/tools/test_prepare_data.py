"""tools/prepare_data.py: exit codes, the report, and real photographs."""

from __future__ import annotations

import importlib.util
import json
import shutil

import pytest


@pytest.fixture(scope="module")
def run(repo_root):
    """``main`` of the tool."""
    path = repo_root / "tools" / "prepare_data.py"
    spec = importlib.util.spec_from_file_location("mmdgdm_prepare_data", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def main(*argv):
        return module.main(["--workers", "1", *map(str, argv)])

    return main


@pytest.fixture(scope="module")
def stamps(shared_data, tmp_path_factory):
    """A copy of the stamps set."""
    folder = tmp_path_factory.mktemp("stamps") / "stamps"
    for name in ("CUB_200_2011", "CUBV2", "metadata"):
        shutil.copytree(shared_data / "stamps" / name, folder / name)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755)
    return folder


def test_real_photographs_are_complete_and_damage_is_named(
    run, stamps, tmp_path, capsys
):
    assert run("cub", stamps, "--write-metadata", tmp_path / "out") == 0
    assert "complete" in capsys.readouterr().out
    written = (tmp_path / "out" / "test" / "localization.txt").read_text().split("\n")
    given = (stamps / "metadata" / "test" / "localization.txt").read_text()
    given = given.replace("CUB_200_2011/images/", "").split("\n")
    assert sorted(written) == sorted(given)

    raw = stamps / "CUB_200_2011"
    names = [line.split()[1] for line in (raw / "images.txt").read_text().splitlines()]
    (raw / "images" / names[0]).unlink()
    (raw / "images" / names[1]).write_bytes(b"")
    cut = raw / "images" / names[2]
    cut.write_bytes(cut.read_bytes()[:-2000])
    boxes = raw / "bounding_boxes.txt"
    lines = boxes.read_text().splitlines()
    lines[3] = f"{lines[3].split()[0]} 900.0 1.0 5.0 5.0"
    lines[4] = f"{lines[4].split()[0]} 1.0 1.0 0.0 5.0"
    del lines[5]
    boxes.write_text("\n".join(lines))
    report = tmp_path / "report.json"
    assert run("cub", stamps, "--json", report) == 1
    problems = json.loads(report.read_text())["problems"]
    wanted = [
        ("missing image", 0),
        ("empty image", 1),
        ("broken image", 2),
        ("wrong box", 3),
        ("wrong box", 4),
        ("missing line", 5),
    ]
    found = {(p["kind"], p["image_id"]) for p in problems}
    assert {(kind, names[k]) for kind, k in wanted} <= found


def test_missing_data_exit_with_1(run, tmp_path, capsys):
    assert run("openimages", tmp_path) == 1
    assert "clovaai/wsolevaluation" in capsys.readouterr().out


def test_wrong_calls_exit_with_2(run, tmp_path, capsys):
    assert run("cub", tmp_path / "none") == 2
    assert run("openimages", tmp_path, "--write-metadata", tmp_path / "out") == 2
    assert run("cub", tmp_path, "--write-metadata", tmp_path) == 2
    assert run("cub", tmp_path, "--workers", 0) == 2
    assert run("cub", tmp_path, "--archives", tmp_path) == 2
    assert run("ilsvrc", tmp_path, "--left-out") == 2
    assert "--overwrite" in capsys.readouterr().err


def test_any_set_in_the_text_form_is_checked(run, shared_data, tmp_path, capsys):
    assert run("metadata", shared_data / "stamps", "--quick") == 0
    said = capsys.readouterr().out
    assert "complete" in said
    assert "test: " in said
    assert run("metadata", tmp_path) == 1
    assert "there is no train/image_ids.txt" in capsys.readouterr().out


def test_a_folder_a_class_becomes_a_set_that_is_complete(
    run, shared_data, tmp_path, capsys
):
    photos, out = shared_data / "stamps" / "CUB_200_2011" / "images", tmp_path / "out"
    assert run("folder", photos, out, "--quick") == 0
    said = capsys.readouterr().out
    assert "| split | images | classes | boxes |" in said
    assert "there are no boxes" in said
    assert run("metadata", out, "--quick") == 0
    assert "val has neither boxes nor masks" in capsys.readouterr().out
    assert run("folder", photos, out) == 2
    assert "Expected a new folder" in capsys.readouterr().err


def test_images_of_a_coco_file_become_a_set_that_is_complete(
    run, shared_data, tmp_path, capsys
):
    photos = shared_data / "stamps" / "CUB_200_2011" / "images"
    names = sorted(path.relative_to(photos) for path in photos.glob("*/*"))
    classes = sorted({name.parts[0] for name in names})
    content = dict(
        categories=[dict(id=key, name=name) for key, name in enumerate(classes)],
        images=[dict(id=key, file_name=str(n)) for key, n in enumerate(names)],
        annotations=[
            dict(image_id=k, category_id=classes.index(n.parts[0]), bbox=[0, 0, 9, 9])
            for k, n in enumerate(names)
        ],
    )
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    out, boxes = tmp_path / "out", tmp_path / "boxes.json"
    assert run("coco", photos, out, "--boxes", boxes, "--quick") == 0
    assert "| split | images | classes | boxes |" in capsys.readouterr().out
    assert run("metadata", out, "--quick") == 0
    assert run("coco", photos, out, "--boxes", boxes) == 2
    assert run("folder", photos, "--scan", "--quick") == 0
    assert f"all: {len(names):,} images" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "wrong"),
    [
        (["cub", "root", "out"], "OUT: not with `cub`"),
        (["cub", "root", "--boxes", "b.json"], "--boxes: not with `cub`"),
        (["folder", "root"], "required: out"),
        (["folder", "root", "out", "--overwrite"], "--overwrite: not with `folder`"),
        (["coco", "root"], "required: out, --boxes"),
        (["coco", "root", "out", "--scan"], "OUT: not with `--scan`"),
    ],
)
def test_what_belongs_to_another_kind_is_refused(run, argv, wrong, capsys):
    with pytest.raises(SystemExit):
        run(*argv)
    assert wrong in capsys.readouterr().err
