"""Classes found by reading: through packages, imports by name and stars, and nothing is imported on the way."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pellucid.ground.errors import InputError
from pellucid.network.source import find_class

FILES = {
    "strange/__init__.py": "open('RAN', 'w')\nfrom .nets import Deep as Net, Deep\nfrom .stars import *\nLast = Deep\n",
    "strange/nets.py": "open('RAN', 'w')\nimport torch\n\nif True:\n    class Deep(torch.nn.Module):\n        pass\n",
    "strange/stars.py": "try:\n    class Star: ...\nexcept OSError: ...\ndef make(): ...\nclass A:\n  class In: ...\n",
    "strange/deep/within.py": "from ..nets import Deep\nfrom ... import nothing\nA = B\nB = A\nfrom .within import C\n",
    "strange/broken.py": "class (:",
}


@pytest.fixture(autouse=True)
def strange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "file", "line"),
    [
        ("strange.nets:Deep", "strange/nets.py", 5),
        ("strange:Net", "strange/nets.py", 5),
        ("strange:Last", "strange/nets.py", 5),
        ("strange:Star", "strange/stars.py", 2),
        ("strange.deep.within:Deep", "strange/nets.py", 5),
    ],
)
def test_a_class_is_found_where_it_is_written(path: str, file: str, line: int, strange: Path) -> None:
    assert find_class(path) == (strange / file, line)
    assert not (strange / "RAN").exists()
    assert not {"strange", "strange.nets"} & set(sys.modules)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("strange:Nothing", "has no class Nothing"),
        ("strange.stars:make", "a function of .*stars.py"),
        ("strange.stars:In", "has no class In. Name the module"),
        ("strange.deep.within:A", "has no class A"),
        ("strange.deep.within:C", "has no class C"),
        ("strange.broken:Net", "no source text that can be read"),
        ("strange.absent:Net", "no module strange.absent"),
        ("strange.nets.more:Net", "no module strange.nets.more"),
        ("sys:Net", "no source text"),
        ("_ctypes:Structure", "no source text"),
        ("__main__:Net", "'__main__:Net'"),
    ],
)
def test_what_has_no_class_statement_is_refused_and_not_imported(path: str, words: str, strange: Path) -> None:
    with pytest.raises(InputError, match=words) as caught:
        find_class(path)
    assert caught.value.where == "network"
    assert not (strange / "RAN").exists()


def test_classes_of_pytorch_are_found() -> None:
    assert find_class("torch.nn:Conv3d").file.name == "conv.py"
