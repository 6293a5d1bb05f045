"""Lay the registered scans of ds002748 out as a BIDS derivative dataset, for the study sex-ds002748.

python experiments/lay_out_ds002748.py ../shared/data/healthy ds002748
DS002748=ds002748 pellucid study run sex-ds002748
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pellucid.bids.naming import description
from pellucid.ground.files import write_json, write_text


def main() -> None:
    """Link scans and copy the table of participants."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "healthy", type=Path, help="holds ds002748/participants.tsv and ds002748_T1_mni2mm/sub-*.nii.gz"
    )
    parser.add_argument("out", type=Path, help="the new dataset; its scans are links")
    arguments = parser.parse_args()
    write_text(
        arguments.out / "participants.tsv",
        (arguments.healthy / "ds002748" / "participants.tsv").read_text(encoding="utf-8"),
    )
    for scan in sorted((arguments.healthy / "ds002748_T1_mni2mm").glob("sub-*_T1w.nii.gz")):
        who = scan.name.split("_")[0]
        link = arguments.out / who / "anat" / f"{who}_T1w.nii.gz"
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(scan.resolve())
    # Raw by its names: a derivative dataset of this software would hold images of 1 mm, named so.
    about = description("ds002748, T1w in MNI152NLin6Asym space, 2 mm", "raw", License="CC0")
    write_json(arguments.out / "dataset_description.json", about)


if __name__ == "__main__":
    main()
