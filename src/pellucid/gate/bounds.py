"""The bounds of the gate, each between what was measured of good scans and of broken ones (`experiments/gate.py`).

Good are 87 real scans without a skull in MNI space (FLAIR and T1w, aligned by 6 or 12 parameters), also turned by 10
degrees and scaled by 10 %, and 80 simulated ones; broken are 10 heads with their skulls, and good scans turned over,
cut, emptied, shrunk or replaced by masks, maps of probability and noise. Bounds were chosen on half of the scans;
docs/preprocessing.md names the participants, and says how far the other half stays from the bounds.
"""

from __future__ import annotations

SMALLEST_RATIO = 0.32
"""Brain volume over the template's (1835 ml), refused below. Good: 0.43 and more; two voxels, every second slice,
a scan at half its voxel size: 0.195 and less."""

SMALL_RATIO, VOUCHED_RATIO, LARGE_RATIO = 0.535, 0.40, 1.30
"""Remarked on below the first. Real scans: 0.59 and more, but 0.43 when scaled by 0.9; the template with voxels of 0.8
of their size: 0.51. No volume tells the two apart. The grid does (`shape.field_size`): where it vouches for the voxels'
size, the remark begins at the second; where it does not and the volume is below the first or above the third, the scan
is refused."""

PROPORTION, FIELD_OFF = 0.005, 0.15
"""How far a grid's proportions may be from a template's, and how far its size may be from it before it is remarked on.
Good: at most 0.004, and 0 to 0.10 when scaled; voxels of 0.8 of their size: 0.20."""

LARGEST_RATIO = 1.70
"""Refused above. Good: at most 1.20, scaled by 1.1 1.60; a head without its neck: 1.9."""

GAP_CM2 = 5.0
"""Foreground of a slice that counts; an empty slice between two such is missing. Specks off the brain are smaller."""

FACE_MM = 4.0
"""Depth below the brain's outermost slice over which its area is averaged."""

FACE_CUT_CM2 = 30.0
"""Mean area there, remarked on above. Good: at most 17; 20 mm off the bottom: 46 to 54, 12 mm off the top: 54 to 68."""

FACE_REFUSED_CM2 = 75.0
"""Refused above. 20 mm off the top: 84 to 97; 35 mm: 126 and more; half a brain: 163 and more."""

FAR_MM = 10.0
FAR_REMARK, FAR_HEAD, FAR_REFUSED = 0.03, 0.06, 0.15
"""Share of the foreground more than 10 mm outside the template's brain. Good: at most 0.014, scaled by 1.1 or moved by
17 mm at most 0.10; heads: 0.089 to 0.60. Between, the fit to the template decides."""

HEAD_FIT = 0.72
"""Fit to the template (`pose.Fit.score`), less half the share that lies far, below which a foreground that reaches far
is a head. Good: 0.756 and more, turned and scaled ones too; heads: 0.66 and less."""

OFF_MM = 13.0
"""Of a brain's centre from the template's, remarked on above. Good: at most 6.4, scaled by 1.1 7."""

SHAPE_FIT = 0.62
"""Fit below which it is no whole brain. Good: 0.81 and more; a brain without its top 35 mm: 0.79; halves: 0.48."""

ODD_FIT = 0.78
"""Fit below which the shape is remarked on: a brain squeezed to 0.7 along an axis has 0.64."""

POSE_FIT = 0.70
"""Fit above which a pose is believed. Good scans turned over: 0.82 and more; an ellipsoid of noise: 0.67."""

TILTED_DEGREES, TURNED_DEGREES = 27.0, 32.0
"""Rotation against the template, remarked on and refused above. Good: at most 14, turned by 10 more 24; turned by 30:
30, by 40 more: 36 to 43."""

ANATOMY, FAINT = 0.03, 0.09
"""Share of the brightness that three tissues explain (`tissue.Tissues.share`), refused and remarked on below. Good:
0.11 and more, a badly registered T1w 0.067; a FLAIR in heavy noise 0.04; noise, smooth or not: at most 0.01."""

SPIKE = 100.0
"""Largest value over the 99th percentile of the brain, remarked on above. Good: at most 4."""

EQUAL_LABELS, EQUAL_PROBABILITY = 0.25, 0.055
"""Share of neighbouring brain voxels with one value. Scans: at most 0.036 (eight bits); masks and label maps: 0.87 and
more, maps of the probability of fluid 0.47 and more, of grey and white matter, from 0 to 1: 0.08 and more."""

LONG_MM = 5.0
"""A voxel's edge, remarked on from here: small lesions fall between slices."""

GREY_MIDDLE, GREY_SURE = 1.04, 0.06
"""Grey over white matter (`tissue.Tissues`): the middle between T1w (at most 1.025, most below 0.88) and FLAIR (1.08
and more, even with 50 ml of lesions in its white matter; the latter at 2 mm 1.055). On the wrong side of it a scan is
remarked on, and refused where it is off by more than the second. Neither fluid nor the histogram's skewness, spread or
upper tail separates better."""

BRIGHT_FLUID, T2W_FLUID = 0.87, 1.05
"""Fluid over white matter, remarked on and refused above. T1w: at most 0.58, FLAIR: 0.82; T2w: 1.28 and more."""

GREY_RANGE = (0.47, 2.2)
"""Grey over white matter of a scan of any weighting: 0.56 to 1.51. Maps of anisotropy: 0.42, of the probability of a
tissue: near 0, or more than 4."""
