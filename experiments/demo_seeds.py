"""Does the demo's network learn whatever the seed? One fine-tuned trial of the demo study for each of several seeds.

    python experiments/demo_seeds.py --out runs/seeds

Each seed gets cohorts, splits, pre-training and initial weights of its own. The holdout AUC with its subject-level
bootstrap interval goes to OUT/seeds.tsv after every seed; a stopped benchmark goes on where it stopped, and two may
share the seeds (`--seeds 0 1 2 3 4`) and the folder.
"""

from __future__ import annotations

import argparse
import re
import shutil
from pathlib import Path

import pandas as pd

from pellucid.cli.console import Bars
from pellucid.ground.files import read_tsv, write_tsv
from pellucid.spec.reading import find_spec, parse_spec
from pellucid.study.run import run_study

TABLE = Path("tables") / "table2.tsv"


def spec_of(seed: int, path: Path) -> str:
    """Return the demo's specification with another seed, one fine-tuned trial, and nothing explained."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"(?m)^seed = \d+$", f"seed = {seed}", text)
    text = re.sub(r"(?m)^trials = \d+$", "trials = 1", text)
    return re.sub(r"(?ms)^\[explain\].*?(?=^\[)", "", text)


def main() -> None:
    """Run the seeds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/seeds"))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    shipped = find_spec("demo")
    for seed in options.seeds:
        run = options.out / f"seed-{seed:02d}"
        spec = parse_spec(spec_of(seed, shipped), file=shipped)
        if not (run / TABLE).is_file():
            with Bars() as bars:
                run_study(spec, run, watcher=bars, workers=options.workers, command=["experiments/demo_seeds.py"])
            for bulky in ("cohorts", "stores"):  # a gigabyte a seed, and made again from the seed when wanted
                shutil.rmtree(run / bulky, ignore_errors=True)
        result = finished(options.out)
        write_tsv(options.out / "seeds.tsv", result)
    print(result.round(3).to_string(index=False))
    print(f"lower bound above 0.7 in {(result['low'] > 0.7).sum()} of {len(result)} seeds")


def finished(out: Path) -> pd.DataFrame:
    """Return the holdout AUC of every finished seed under `out`, with its interval."""
    rows = []
    for path in sorted(out.glob(f"seed-*/{TABLE}")):
        auc = read_tsv(path).set_index(["arm", "metric"]).loc[("finetuned", "auc")]
        seed = int(path.parts[-3].removeprefix("seed-"))
        rows.append(
            {"seed": seed, "n": int(auc["n_subjects"]), "auc": auc["mean"], "low": auc["low"], "high": auc["high"]}
        )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()
