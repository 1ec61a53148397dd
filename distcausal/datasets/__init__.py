"""Simulators that know the truth, for trying, teaching and testing.

Each returns a `Simulation`: the data in both forms a person may have them in, a long
frame and random distributions, and the effect that an estimate should recover. They
touch no file and no network, so what they show can be repeated anywhere.
"""

from distcausal.datasets.elections import close_elections
from distcausal.datasets.r3d import make_r3d
from distcausal.datasets.simulation import Simulation

__all__ = ["Simulation", "close_elections", "make_r3d"]
