"""The methods paragraph: what was done to the scans, in words and with references, made from what really ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

_REFERENCES = {
    "Eitel 2019": "Eitel F, et al. Uncovering convolutional neural network decisions for diagnosing multiple sclerosis "
    "on conventional MRI using layer-wise relevance propagation. NeuroImage: Clinical 2019;24:102003.",
    "Fisch 2024": "Fisch L, et al. deepbet: Fast brain extraction of T1-weighted MRI using convolutional neural "
    "networks. Computers in Biology and Medicine 2024;179:108845.",
    "Tustison 2010": "Tustison NJ, et al. N4ITK: Improved N3 Bias Correction. IEEE Transactions on Medical Imaging "
    "2010;29:1310-1320.",
    "Mattes 2003": "Mattes D, et al. PET-CT image registration in the chest using free-form deformations. IEEE "
    "Transactions on Medical Imaging 2003;22:120-128.",
    "Lowekamp 2013": "Lowekamp BC, et al. The Design of SimpleITK. Frontiers in Neuroinformatics 2013;7:45.",
    "Fonov 2011": "Fonov V, et al. Unbiased average age-appropriate atlases for pediatric studies. NeuroImage "
    "2011;54:313-327.",
    "Jenkinson 2012": "Jenkinson M, et al. FSL. NeuroImage 2012;62:782-790.",
    "Ashburner 2005": "Ashburner J, Friston KJ. Unified segmentation. NeuroImage 2005;26:839-851.",
    "Zhang 2001": "Zhang Y, et al. Segmentation of brain MR images through a hidden Markov random field model. IEEE "
    "Transactions on Medical Imaging 2001;20:45-57.",
    "Valverde 2014": "Valverde S, et al. A white matter lesion-filling approach to improve brain tissue volume "
    "measurements. NeuroImage: Clinical 2014;6:86-92.",
}


def citation(records: Sequence[Mapping[str, Any]]) -> str:
    """Return Markdown that describes and cites what was done to the visits that are done.

    A step that only some visits had is said to have been done in so many of them.
    """
    done = [record for record in records if record["state"] == "done"]
    counts = Counter(name for record in done for name in _steps(record))
    version = ", ".join(sorted({record["versions"]["pellucid"] for record in done}))
    cited: list[str] = []

    def cite(*names: str) -> str:
        cited.extend(name for name in names if name not in cited)
        return "(" + "; ".join(names) + ")"

    def some(step: str) -> str:
        return "" if counts[step] == len(done) else f" (in {counts[step]} of {len(done)} visits)"

    sentences = [f"Scans were prepared with Pellucid {version} as in {cite('Eitel 2019')}, with open tools."]
    if counts["brain extraction"]:
        modes = sorted({record["settings"]["skull_strip"] for record in done})
        sentences.append(
            f"Brains were extracted by the networks of deepbet {cite('Fisch 2024')}{some('brain extraction')}; scans "
            f"without a skull kept their own foreground (mode {', '.join(modes)})."
        )
    if counts["bias field"]:
        sentences.append(f"Bias fields were corrected by N4 in the brain {cite('Tustison 2010')}{some('bias field')}.")
    if counts["t1w_to_mni"]:
        sentences.append(
            f"T1w scans were registered to the MNI152NLin6Asym template {cite('Fonov 2011', 'Jenkinson 2012')} with 12 "
            f"parameters by mutual information {cite('Mattes 2003')} in SimpleITK {cite('Lowekamp 2013')}"
            f"{some('t1w_to_mni')}."
        )
    if counts["flair_to_t1w"]:
        sentences.append(f"FLAIRs were registered to the T1w scans with 6 parameters{some('flair_to_t1w')}.")
    if counts["flair_to_mni"]:
        sentences.append(
            f"FLAIRs without a T1w were registered to the template directly, with 12 parameters{some('flair_to_mni')}."
        )
    if counts["given"]:
        sentences.append(f"Transforms, masks or tissue maps that existed before were used as given{some('given')}.")
    sentences.append(
        "Scans were resampled to the template's 1 mm grid by one linear interpolation, masks by nearest neighbour; "
        "outside the brain they are 0."
    )
    if counts["tissue"]:
        sentences.append(
            "Tissue probabilities come from a Gaussian mixture with the template's priors and a Markov random field "
            f"{cite('Ashburner 2005', 'Zhang 2001')}{some('tissue')}."
        )
    for method, words in (
        ("local", "from the healthy white matter around each, voxel by voxel, following the idea of"),
        ("slice", "with one number per axial slice, as in the code of Eitel 2019, after"),
    ):
        if counts[f"filled {method}"]:
            sentences.append(f"Lesions were filled {words} {cite('Valverde 2014')}{some(f'filled {method}')}.")
    if counts["network input"]:
        ways = sorted({(r["settings"]["resampling"], r["settings"]["scaling"]) for r in done})
        how = " or ".join(f"{resampling} resampling and {scaling} scaling" for resampling, scaling in ways)
        sentences.append(f"The network's input of 96x114x96 voxels was made by {how}{some('network input')}.")
    failed = sum(record["state"] == "failed" for record in records)
    sentences.append(
        f"Of {len(records)} visits, {len(done)} were processed" + (f" and {failed} failed." if failed else ".")
    )
    lines = ["# How these data were made", "", " ".join(sentences), "", "## References", ""]
    return "\n".join([*lines, *(f"- {_REFERENCES[name]}" for name in cited), ""])


def _steps(record: Mapping[str, Any]) -> set[str]:
    """Return what was done to a visit: steps, transforms, how lesions were filled, `given` for what was there."""
    settings = record["settings"]
    done = set()
    for step in record["steps"]:
        what, of = step["step"], step["of"]
        if step["given"]:
            done.add("given")
        elif what == "registration":
            done.add(of)
        elif what == "lesion filling":
            done.add(f"filled {settings['filling']}")
        elif what != "brain extraction" or settings["skull_strip"] != "skip":
            done.add(what)
    return done
