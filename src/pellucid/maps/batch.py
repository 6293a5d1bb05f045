"""Several inputs, one after the other: a bad one is named and left out, and an interruption keeps what is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pellucid.ground.errors import InputError, trouble
from pellucid.ground.progress import Progress, unwatched


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How work on several inputs ended.

    Parameters
    ----------
    failed
        What was wrong with each input that failed.
    error
        The last of these errors itself, for who works on one input alone. Each holds on to the arrays that it met.
    stopped
        The interruption that ended it early, if one did: to be raised again once what is done is written down.
    """

    failed: dict[Path, str]
    error: Exception | None = None
    stopped: KeyboardInterrupt | None = None


def each(paths: Sequence[Path], work: Callable[[Path], object], progress: Progress = unwatched) -> Ended:
    """Do `work` for every path. A bug of ours costs one path too; only an interruption ends all."""
    failed: dict[Path, str] = {}
    last: Exception | None = None
    try:
        for done, path in enumerate(paths, start=1):
            try:
                if path.is_dir():
                    raise no_images(path)
                work(path)
            except Exception as error:
                failed[path], last = trouble(error), error
            progress(done, len(paths), path.name)
    except KeyboardInterrupt as stop:
        return Ended(failed=failed, error=last, stopped=stop)
    return Ended(failed=failed, error=last)


def no_images(folder: Path) -> InputError:
    """Return the error of a folder in which nothing is an image."""
    return InputError(folder, "the folder holds no .nii or .nii.gz file", "Give files, or a folder of files")
