"""Causal and distributional estimation on one model of random distributions."""

from importlib import import_module as _import_module

_HOME = {
    "BestOf": "distcausal.design.selected",
    "Box": "distcausal.diagrams.box",
    "BoxDensity": "distcausal.design.measure",
    "CausalGraph": "distcausal.diagrams.graph",
    "CausalModel": "distcausal.diagrams.model",
    "Channel": "distcausal.diagrams.channel",
    "ComplexityError": "distcausal.errors",
    "Conditioned": "distcausal.design.selected",
    "ConditioningError": "distcausal.errors",
    "ConvergenceError": "distcausal.errors",
    "Copy": "distcausal.diagrams.structural",
    "CutoffSpace": "distcausal.design.cutoff",
    "DataError": "distcausal.errors",
    "DataWarning": "distcausal.errors",
    "Derivation": "distcausal.diagrams.derivation",
    "DesignComparison": "distcausal.design.compare",
    "DesignError": "distcausal.errors",
    "DesignPoints": "distcausal.design.points",
    "Diagram": "distcausal.diagrams.diagram",
    "Discard": "distcausal.diagrams.structural",
    "DistCausalError": "distcausal.errors",
    "DistCausalWarning": "distcausal.errors",
    "Effect": "distcausal.diagrams.structural",
    "Estimand": "distcausal.diagrams.formula",
    "Extended": "distcausal.design.modified",
    "FeatureSpace": "distcausal.design.feature",
    "FiniteSpace": "distcausal.design.spaces",
    "FunctionalEffect": "distcausal.rdd.functional",
    "FunctionalEstimate": "distcausal.design.functional",
    "GraphError": "distcausal.errors",
    "Greedy": "distcausal.design.modified",
    "HyperbolicCross": "distcausal.design.indices",
    "IID": "distcausal.design.designs",
    "Id": "distcausal.diagrams.structural",
    "Identification": "distcausal.diagrams.identify",
    "IdentificationError": "distcausal.errors",
    "InferenceWarning": "distcausal.errors",
    "KDPP": "distcausal.design.ensembles",
    "LEnsemble": "distcausal.design.ensembles",
    "LabelledArray": "distcausal.diagrams.labelled",
    "MercerSpace": "distcausal.design.mercer",
    "ModelError": "distcausal.errors",
    "MultiplierBootstrap": "distcausal.rdd.bootstrap",
    "Point": "distcausal.diagrams.structural",
    "PolynomialSpace": "distcausal.design.polynomial",
    "PositivityError": "distcausal.errors",
    "ProjectionDPP": "distcausal.design.designs",
    "QueryError": "distcausal.errors",
    "R3DBandwidth": "distcausal.rdd.result",
    "R3DResult": "distcausal.rdd.result",
    "RandomDistributions": "distcausal.data.distributions",
    "RepeatedDPP": "distcausal.design.pooled",
    "RepeatedVolume": "distcausal.design.pooled",
    "RequiredSize": "distcausal.design.stability",
    "Space": "distcausal.diagrams.space",
    "SplineSpace": "distcausal.design.spline",
    "Stability": "distcausal.design.stability",
    "StreamedSpace": "distcausal.design.streamed",
    "SubsetVolumeSampling": "distcausal.design.subset",
    "Swap": "distcausal.diagrams.structural",
    "SyntaxError_": "distcausal.errors",
    "Tensor": "distcausal.design.indices",
    "TensorSpace": "distcausal.design.tensor",
    "TestTable": "distcausal.rdd.parts",
    "Thinned": "distcausal.design.modified",
    "TotalDegree": "distcausal.design.indices",
    "TrigonometricSpace": "distcausal.design.polynomial",
    "Ty": "distcausal.diagrams.space",
    "TypeError_": "distcausal.errors",
    "Uniform": "distcausal.diagrams.structural",
    "VolumeSampling": "distcausal.design.designs",
    "WLSResult": "distcausal.design.result",
    "bayes_inverse": "distcausal.diagrams.disintegrate",
    "cache_compilations": "distcausal._base.jaxcompat",
    "cite": "distcausal._base.citation",
    "comb_disintegrate": "distcausal.diagrams.combs",
    "compare_designs": "distcausal.design.compare",
    "cross_fitted_wls": "distcausal.design.crossfit",
    "disintegrate": "distcausal.diagrams.disintegrate",
    "district_factors": "distcausal.diagrams.combs",
    "evaluate": "distcausal.design.observed",
    "functional_effect": "distcausal.rdd.functional",
    "homogeneity_test": "distcausal.rdd.hypotheses",
    "identify": "distcausal.diagrams.identify",
    "mix_distributions": "distcausal.diagrams.outcomes",
    "nullity_test": "distcausal.rdd.hypotheses",
    "order_violation": "distcausal.diagrams.combs",
    "quasi_projection": "distcausal.design.crossfit",
    "r3d": "distcausal.rdd.api",
    "r3d_bandwidth": "distcausal.rdd.api",
    "random_model": "distcausal.diagrams.random_model",
    "replicated_wls": "distcausal.design.crossfit",
    "required_size": "distcausal.design.stability",
    "session_info": "distcausal._base.session",
    "stability": "distcausal.design.stability",
    "wls": "distcausal.design.fit",
}
_ROOMS = ("data", "datasets", "design", "diagrams", "numerics", "rdd")
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
