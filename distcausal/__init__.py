"""Causal and distributional estimation on one model of random distributions."""

from importlib import import_module as _import_module

_HOME = {
    "ConvergenceError": "distcausal.errors",
    "DataError": "distcausal.errors",
    "DataWarning": "distcausal.errors",
    "DesignError": "distcausal.errors",
    "DistCausalError": "distcausal.errors",
    "DistCausalWarning": "distcausal.errors",
    "FunctionalEffect": "distcausal.rdd.functional",
    "IdentificationError": "distcausal.errors",
    "InferenceWarning": "distcausal.errors",
    "MultiplierBootstrap": "distcausal.rdd.bootstrap",
    "R3DBandwidth": "distcausal.rdd.result",
    "R3DResult": "distcausal.rdd.result",
    "RandomDistributions": "distcausal.data.distributions",
    "TestTable": "distcausal.rdd.parts",
    "cache_compilations": "distcausal._base.jaxcompat",
    "cite": "distcausal._base.citation",
    "functional_effect": "distcausal.rdd.functional",
    "homogeneity_test": "distcausal.rdd.hypotheses",
    "nullity_test": "distcausal.rdd.hypotheses",
    "r3d": "distcausal.rdd.api",
    "r3d_bandwidth": "distcausal.rdd.api",
    "session_info": "distcausal._base.session",
}
_ROOMS = ("data", "datasets", "numerics", "rdd")
__version__ = "0.1.0"
__all__ = sorted([*_HOME, "__version__", "datasets"])


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return _import_module(f"distcausal.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'distcausal' has no attribute {name!r}")
    value = getattr(_import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
