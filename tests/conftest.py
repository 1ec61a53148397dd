"""What holds for every test: Hypothesis profiles, strict switches, tidy caches.

Profiles are chosen with ``HYPOTHESIS_PROFILE=thorough`` and set nowhere else. The quick
one always tries the same examples, so that a failure belongs to the change at hand;
searching for new ones is the work of the thorough profile.
"""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("JAX_NUMPY_RANK_PROMOTION", "raise")

# What one module or worker has compiled is kept on disk for the others until the run
# ends: compiling takes most of the time of a short test.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    _kept = tempfile.mkdtemp(prefix="distcausal-tests-")
    atexit.register(shutil.rmtree, _kept, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _kept
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

# The first example of a shape compiles, which neither deadline nor health check knows.
_SHARED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("quick", max_examples=25, derandomize=True, **_SHARED)
settings.register_profile("thorough", max_examples=1000, derandomize=False, **_SHARED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture(autouse=True, scope="module")
def forget_compilations() -> Iterator[None]:
    """Drop compiled functions after each module; a long suite would fill the memory."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
        gc.collect()


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    """Close every figure a test drew; matplotlib warns at twenty, an error here."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
