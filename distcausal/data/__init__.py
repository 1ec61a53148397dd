"""The shared data model: units that each carry a distribution."""

from importlib import import_module as _import_module

_HOME = {
    "AtomDistributions": "distcausal.data.atoms",
    "BinDistributions": "distcausal.data.bins",
    "LawDistributions": "distcausal.data.law",
    "QuantileDistributions": "distcausal.data.quantiles",
    "RandomDistributions": "distcausal.data.distributions",
    "SampleDistributions": "distcausal.data.samples",
    "unit_column": "distcausal.data.units",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'distcausal.data' has no attribute {name!r}")
    value = getattr(_import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
