"""A run directory to one HTML file that needs nothing but itself."""

from __future__ import annotations

from pathlib import Path

from pellucid.files import write_text
from pellucid.report.render import embedded, render
from pellucid.report.run import Run, open_run
from pellucid.report.section_calibration import calibration
from pellucid.report.section_comparisons import comparisons
from pellucid.report.section_figures import paper_figures
from pellucid.report.section_learning import learning
from pellucid.report.section_ledger import ledger
from pellucid.report.section_lesions import lesions
from pellucid.report.section_limits import files, limits
from pellucid.report.section_maps import averages, heatmaps
from pellucid.report.section_method import citation, method
from pellucid.report.section_regions import regions
from pellucid.report.section_results import brightness, results, training
from pellucid.report.section_run import problems, summary, what_ran
from pellucid.report.section_subgroups import subgroups
from pellucid.report.section_truth import truth

REPORT = "report.html"
CITATION = "CITATION.md"
FIGURES = "figures"


def write_report(run: Path) -> Path:
    """Read a run directory and write RUN/report.html, RUN/CITATION.md and, as PNG and SVG, RUN/figures.

    Only files of the directory are read. What is missing is said to be missing. The page embeds its pictures and asks
    no network; every number names the file of the directory that it comes from. Sums over subjects that the page
    shows and no table holds yet are written beside the others, as RUN/tables/*_summary.tsv.

    Returns
    -------
    The path of the page.

    Raises
    ------
    InputError
        If the folder is no run directory, or a file in it is damaged.
    """
    opened = open_run(run)
    page = opened.folder / REPORT
    write_text(opened.folder / CITATION, citation(opened))
    write_text(page, _render(opened, opened.folder / FIGURES))
    return page


def _render(run: Run, figures: Path) -> str:
    sections = [
        summary(run),
        problems(run),
        what_ran(run),
        results(run, figures),
        learning(run, figures),
        comparisons(run, figures),
        subgroups(run, figures),
        calibration(run, figures),
        training(run, figures),
        brightness(run, figures),
        heatmaps(run, figures),
        averages(run, figures),
        regions(run, figures),
        lesions(run, figures),
        truth(run),
        ledger(run, figures),
        paper_figures(run, figures),
        limits(run, figures),
        method(run),
        files(run),
    ]
    study = run.spec.get("study", {})
    name = study.get("name") or run.record.get("study") or run.folder.name
    return render(
        [section for section in sections if section is not None],
        kind="report",
        title=study.get("title") or name,
        about=f"Study “{name}”",
        embed=lambda picture: embedded(figures / picture),
    )
