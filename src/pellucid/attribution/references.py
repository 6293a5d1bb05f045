"""What the methods and rules of this floor are cited by."""

from __future__ import annotations

BACH = (
    "Bach S, Binder A, Montavon G, et al. On pixel-wise explanations for non-linear classifier decisions by layer-wise "
    "relevance propagation. PLoS ONE 10 (2015) e0130140."
)
SIMONYAN = (
    "Simonyan K, Vedaldi A, Zisserman A. Deep inside convolutional networks: visualising image classification models "
    "and saliency maps. ICLR Workshop (2014), arXiv 1312.6034."
)
SHRIKUMAR = (
    "Shrikumar A, Greenside P, Shcherbina A, Kundaje A. Not just a black box: learning important features through "
    "propagating activation differences. arXiv 1605.01713 (2016)."
)
