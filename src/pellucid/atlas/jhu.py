"""JHU ICBM-DTI-81: 48 white-matter labels and the areas that they are merged to; the file is the user's to bring."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import pandas as pd

from pellucid.atlas.labels import Atlas, Merge, check_atlas, drop_labels, mirrored, read_label_map
from pellucid.atlas.places import FOLDER_VARIABLE, fsl_folder, user_folder
from pellucid.atlas.sides import sided_labels
from pellucid.ground.errors import InputError
from pellucid.ground.files import atomic_path, sha256
from pellucid.image.nifti import SUFFIXES, stem

NAME = "jhu-icbm-dti-81"
TERMS = (
    "48 labels, 23 areas (22 of the paper); its terms are those of the source that you took it from (FSL's licence: "
    "non-commercial use)"
)

STEMS = (
    "JHU-ICBM-labels-1mm",
    "JHU_space-MNI152NLin6_res-1x1x1",
    NAME,
    "JHU-ICBM-labels-2mm",
    "JHU_space-MNI152NLin6_res-2x2x2",
)
"""Names that the file commonly has, FSL's and neuroparc's, in the order in which they are looked for."""

URL = (
    "https://github.com/neurodata/neuroparc/raw/37ae8a6df386697fdeded5dfd150d87a1108d6e5/"
    "atlases/label/Human/JHU_space-MNI152NLin6_res-1x1x1.nii.gz"
)
"""The label map at 1 mm in the public neuroparc collection, at one commit of it."""

SHA256 = "23eaaf1bc8edfb90224c74be2650ed69a6da8dff9944da3f486ce25e1e5ee60d"
_SECONDS = 60  # to wait for an answer


class _Structure(NamedTuple):
    """A structure, its area in our merge where that is another word, and in the paper's; None is dropped there."""

    name: str
    paper: str | None
    revised: str | None = None


# The paper's words are those of its figures (docs/original.md, 5.2).
_MIDLINE = (
    _Structure("Middle cerebellar peduncle", "Middle cerebellar ped."),
    _Structure("Pontine crossing tract", "Middle cerebellar ped.", "Middle cerebellar peduncle"),
    _Structure("Genu of corpus callosum", "Corpus callosum", "Corpus callosum"),
    _Structure("Body of corpus callosum", "Corpus callosum", "Corpus callosum"),
    _Structure("Splenium of corpus callosum", "Corpus callosum", "Corpus callosum"),
    _Structure("Fornix, column and body", "Fornix"),
)
_PAIRS = (
    _Structure("Corticospinal tract", "Corticospinal tract"),
    _Structure("Medial lemniscus", "Med. lemniscus"),
    _Structure("Inferior cerebellar peduncle", "Inf. cerebellar ped."),
    _Structure("Superior cerebellar peduncle", "Sup. cerebellar ped."),
    _Structure("Cerebral peduncle", "Cerebral peduncle"),
    _Structure("Anterior limb of internal capsule", "Ant. limb int. capsule"),
    _Structure("Posterior limb of internal capsule", "Post. limb int. capsule"),
    _Structure("Retrolenticular part of internal capsule", "Retrolent. int. capsule"),
    _Structure("Anterior corona radiata", "Ant. corona radiata"),
    _Structure("Superior corona radiata", "Sup. corona radiata"),
    _Structure("Posterior corona radiata", "Post. corona radiata"),
    _Structure("Posterior thalamic radiation", "Post. thalamic radiation"),
    _Structure("Sagittal stratum", "Sagittal stratum"),
    _Structure("External capsule", "External capsule"),
    _Structure("Cingulum, cingulate gyrus", "Cingulum", "Cingulum"),
    _Structure("Cingulum, hippocampus", "Cingulum", "Cingulum"),
    # deviates: the paper drops these two labels without a word; they are an area of their own.
    _Structure("Fornix crus / stria terminalis", None),
    _Structure("Superior longitudinal fasciculus", "Sup. longitud. fasc."),
    _Structure("Superior fronto-occipital fasciculus", "Sup. fronto-occ. fasc."),
    _Structure("Uncinate fasciculus", "Uncinate"),
    _Structure("Tapetum", "Tapetum"),
)


def table(merge: Merge = "revised") -> pd.DataFrame:
    """Return the 48 labels: `index`, `name` and `area`, which is missing where the merge drops the label.

    >>> table().loc[6, "name"], table("paper")["area"].nunique()
    ('Right corticospinal tract', 22)
    """
    rows = [(one.name, one) for one in _MIDLINE]
    rows += [(f"{side} {one.name[0].lower()}{one.name[1:]}", one) for one in _PAIRS for side in ("Right", "Left")]
    areas = [one.paper if merge == "paper" else one.revised or one.name for _, one in rows]
    return pd.DataFrame({"index": range(1, len(rows) + 1), "name": [name for name, _ in rows], "area": areas})


def locate() -> Path:
    """Return the path of the label map: in $PELLUCID_ATLASES or, failing that, in $FSLDIR.

    Raises
    ------
    InputError
        It is in neither. Nothing is downloaded.
    """
    fsl = fsl_folder()
    for folder in (user_folder(), None if fsl is None else fsl / "JHU"):
        if folder is None:
            continue
        for path in (folder / f"{name}{suffix}" for name in STEMS for suffix in SUFFIXES):
            if path.is_file():
                return path
    fix = (
        f"Either set FSLDIR to an FSL installation, or set {FOLDER_VARIABLE} to a folder that holds {STEMS[0]}.nii.gz, "
        "or download it there: python -c 'from pellucid.atlas.jhu import download_jhu; download_jhu()'"
    )
    raise InputError(NAME, "the label map is not on this machine, and no package ships it", fix)


def read(nifti: Path, merge: Merge) -> Atlas:
    """Read the label map with its areas.

    Raises
    ------
    InputError
        The file cannot be read, holds other labels than 1 to 48, lies elsewhere than the MNI brain, or has a single
        label on the side that its name denies, as mirrored copies have that go about (Rohlfing 2013).

    References
    ----------
    Mori et al. 2008, "Stereotaxic white matter atlas based on diffusion tensor imaging in an ICBM template",
    NeuroImage 40. Rohlfing 2013, "Incorrect ICBM-DTI-81 atlas orientation and white matter labels", Front. Neurosci. 7.
    """
    labels, grid = read_label_map(nifti)
    regions = table(merge)
    found = np.unique(labels[labels > 0]).tolist()
    if found != regions["index"].tolist():
        what = f"it holds {len(found)} labels from {found[0]} to {found[-1]}, not the 48 labels 1 to 48"
        raise InputError(
            nifti, what, "Give the 48 labels of FSL's JHU-ICBM-labels; other editions are numbered otherwise"
        )
    atlas = check_atlas(Atlas(labels, grid, regions), nifti, nifti)
    sided, wrong = sided_labels(labels, grid, regions)
    if wrong:
        raise mirrored(nifti, len(sided), wrong)
    return drop_labels(atlas)


def is_jhu(path: Path) -> bool:
    """Tell whether a file has a name that the label map commonly has."""
    return stem(path) in STEMS


def download_jhu(folder: str | Path | None = None) -> Path:
    """Download the label map at 1 mm (0.1 MB) from the neuroparc collection; return its path in `folder`.

    Without `folder` it goes to $PELLUCID_ATLASES. Nothing is fetched where the file lies there already. The repository
    is Apache-2.0 as a whole; the atlas in it has terms of its own (FSL's copy is for non-commercial use), which are
    yours to keep. pooch, which would do this, is not a dependency of anything here: it would come for this file alone.

    Raises
    ------
    InputError
        There is no folder to put it in, the server cannot be reached, or what it sent is not the file whose SHA-256 is
        known; then nothing is kept.
    """
    target = Path(folder) if folder is not None else user_folder()
    if target is None:
        fix = f"Call download_jhu('FOLDER'), or set {FOLDER_VARIABLE} to the folder of your atlases"
        raise InputError(FOLDER_VARIABLE, "is not set, so there is no place for the download", fix)
    path = target / URL.rpartition("/")[2]
    if path.is_file() and sha256(path) == SHA256:
        return path
    fix = f"Download it in a browser and put it into {target}, or use FSL's {STEMS[0]}.nii.gz"
    try:
        with urlopen(URL, timeout=_SECONDS) as answer:
            content = answer.read()
    except (URLError, OSError) as error:
        raise InputError(URL, f"the file cannot be downloaded ({error})", fix) from None
    if hashlib.sha256(content).hexdigest() != SHA256:
        what = f"the {len(content)} downloaded bytes are not the file: their SHA-256 is not {SHA256[:12]}..."
        raise InputError(URL, what, fix)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return path
