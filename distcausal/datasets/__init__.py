"""Simulators that know the truth, and published tables, for trying and testing.

A simulator returns the data in the forms a person may have them in, and the effect that
an estimate should recover. Nothing here touches the network, so what it shows can be
repeated anywhere.
"""

from distcausal.datasets.causal import (
    CausalSimulation,
    make_causal_model,
    random_causal_graph,
)
from distcausal.datasets.counts import (
    PublishedTable,
    china_smoking,
    kidney_stones,
    smoking_tar_cancer,
    ucb_admissions,
)
from distcausal.datasets.elections import close_elections
from distcausal.datasets.images import (
    ImageSimulation,
    ImageTruth,
    PictureSet,
    make_image_effects,
)
from distcausal.datasets.r3d import make_r3d
from distcausal.datasets.simulation import Simulation

__all__ = [
    "CausalSimulation",
    "ImageSimulation",
    "ImageTruth",
    "PictureSet",
    "PublishedTable",
    "Simulation",
    "china_smoking",
    "close_elections",
    "kidney_stones",
    "make_causal_model",
    "make_image_effects",
    "make_r3d",
    "random_causal_graph",
    "smoking_tar_cancer",
    "ucb_admissions",
]
