"""`lamina new`: what it writes, and what it refuses.  tests/test_template.py at the root runs what it writes."""

import tomllib

import pytest

from lamina_new.command import main, render


def test_it_writes_a_project_named_after_its_distribution(tmp_path):
    assert main(["lamina-tidal", "--author", 'Zoë "Z" O\'Neil 🌊', "--into", str(tmp_path / "here")]) == 0
    project = tomllib.loads((tmp_path / "here/pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"] == "lamina-tidal"
    assert project["authors"] == [{"name": 'Zoë "Z" O\'Neil 🌊'}]
    assert project["entry-points"]["lamina"] == {"lamina_tidal": "lamina_tidal.plugin"}
    assert sorted(path.name for path in (tmp_path / "here/lamina_tidal").iterdir()) == [
        "__init__.py",
        "plugin.py",
        "snake.py",
    ]


def test_without_into_the_folder_has_the_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["lamina-tidal"]) == 0
    assert (tmp_path / "lamina-tidal/README.md").read_text("utf-8").startswith("# lamina-tidal\n")
    assert "pytest" in capsys.readouterr().out


def test_nothing_is_left_to_be_filled_in(tmp_path):
    made = render("lamina-tidal", tmp_path / "here")
    for file in made.rglob("*"):
        text = file.read_text("utf-8") if file.is_file() else file.name
        assert not any(mark in text for mark in ("{{", "{%", ".jinja", "copier")), file


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("-x", "unrecognized|no name for a distribution|required"),
        ("a b", "no name for a distribution"),
        ("../up", "no name for a distribution"),
        ("", "no name for a distribution"),
        ("lamina-ü", "no name for a distribution"),
        ("3d", "try lamina-3d"),
        ("class", "try lamina-class"),
        ("json", "installed already"),
        ("numpy", "installed already"),
        ("lamina-new", "installed already"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name, told, tmp_path):
    with pytest.raises(ValueError, match=told):
        render(name, tmp_path / "here")
    assert not (tmp_path / "here").exists()


def test_a_folder_with_content_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("dear")
    assert main(["lamina-tidal", "--into", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_description_of_two_lines_is_refused(tmp_path):
    with pytest.raises(ValueError, match="one line"):
        render("lamina-tidal", tmp_path / "here", description="one\ntwo")
