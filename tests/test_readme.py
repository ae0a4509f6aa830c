"""The pages for newcomers keep their word: their code runs, and what they name exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def code(page, language="python"):
    """The code blocks of a page, one after another, as a reader types them in."""
    text = (ROOT / page).read_text("utf-8")
    return "\n".join(re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE))


def run(*command, cwd):
    done = subprocess.run([sys.executable, *command], cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_code_of_the_readme_runs(tmp_path):
    (tmp_path / "readme.py").write_text(code("README.md"), "utf-8")
    run("-W", "error", "readme.py", cwd=tmp_path)


def test_the_code_on_extending_runs_and_passes_its_own_tests(tmp_path):
    (tmp_path / "test_page.py").write_text(code("core/docs/extending.md"), "utf-8")
    told = run("-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "test_page.py", cwd=tmp_path)
    assert int(re.search(r"(\d+) passed", told)[1]) > 30


def test_the_map_names_what_is_there():
    listed = set(re.findall(r"^(\.?[\w./-]+/) ", code("README.md", "text"), re.MULTILINE))
    assert {path for path in listed if not (ROOT / path).is_dir()} == set()
    folders = {f"{path.name}/" for path in ROOT.iterdir() if path.is_dir() and path.name[0] not in "._"}
    assert folders - {"build/", "dist/"} <= listed


@pytest.mark.parametrize("page", ["README.md", "core/docs/extending.md"])
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if not link.startswith("http")]
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []
