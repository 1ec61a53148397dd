"""Regression discontinuity with distribution-valued outcomes (R3D)."""
