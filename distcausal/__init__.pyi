from distcausal import data as data
from distcausal import datasets as datasets
from distcausal import design as design
from distcausal import diagrams as diagrams
from distcausal import images as images
from distcausal import numerics as numerics
from distcausal import rdd as rdd
from distcausal._base.citation import cite as cite
from distcausal._base.jaxcompat import cache_compilations as cache_compilations
from distcausal._base.session import session_info as session_info
from distcausal.data.distributions import RandomDistributions as RandomDistributions
from distcausal.design.compare import DesignComparison as DesignComparison
from distcausal.design.compare import compare_designs as compare_designs
from distcausal.design.crossfit import cross_fitted_wls as cross_fitted_wls
from distcausal.design.crossfit import quasi_projection as quasi_projection
from distcausal.design.crossfit import replicated_wls as replicated_wls
from distcausal.design.cutoff import CutoffSpace as CutoffSpace
from distcausal.design.designs import IID as IID
from distcausal.design.designs import ProjectionDPP as ProjectionDPP
from distcausal.design.designs import VolumeSampling as VolumeSampling
from distcausal.design.ensembles import KDPP as KDPP
from distcausal.design.ensembles import LEnsemble as LEnsemble
from distcausal.design.feature import FeatureSpace as FeatureSpace
from distcausal.design.fit import wls as wls
from distcausal.design.functional import FunctionalEstimate as FunctionalEstimate
from distcausal.design.indices import HyperbolicCross as HyperbolicCross
from distcausal.design.indices import Tensor as Tensor
from distcausal.design.indices import TotalDegree as TotalDegree
from distcausal.design.measure import BoxDensity as BoxDensity
from distcausal.design.mercer import MercerSpace as MercerSpace
from distcausal.design.modified import Extended as Extended
from distcausal.design.modified import Greedy as Greedy
from distcausal.design.modified import Thinned as Thinned
from distcausal.design.observed import evaluate as evaluate
from distcausal.design.points import DesignPoints as DesignPoints
from distcausal.design.polynomial import PolynomialSpace as PolynomialSpace
from distcausal.design.polynomial import TrigonometricSpace as TrigonometricSpace
from distcausal.design.pooled import RepeatedDPP as RepeatedDPP
from distcausal.design.pooled import RepeatedVolume as RepeatedVolume
from distcausal.design.result import WLSResult as WLSResult
from distcausal.design.selected import BestOf as BestOf
from distcausal.design.selected import Conditioned as Conditioned
from distcausal.design.spaces import FiniteSpace as FiniteSpace
from distcausal.design.spline import SplineSpace as SplineSpace
from distcausal.design.stability import RequiredSize as RequiredSize
from distcausal.design.stability import Stability as Stability
from distcausal.design.stability import required_size as required_size
from distcausal.design.stability import stability as stability
from distcausal.design.streamed import StreamedSpace as StreamedSpace
from distcausal.design.subset import SubsetVolumeSampling as SubsetVolumeSampling
from distcausal.design.tensor import TensorSpace as TensorSpace
from distcausal.diagrams.bounds import Bounds as Bounds
from distcausal.diagrams.bounds import counterfactual_bounds as counterfactual_bounds
from distcausal.diagrams.bounds import effect_bounds as effect_bounds
from distcausal.diagrams.box import Box as Box
from distcausal.diagrams.causation import (
    CausationProbabilities as CausationProbabilities,
)
from distcausal.diagrams.causation import (
    causation_probabilities as causation_probabilities,
)
from distcausal.diagrams.channel import Channel as Channel
from distcausal.diagrams.combs import comb_disintegrate as comb_disintegrate
from distcausal.diagrams.combs import district_factors as district_factors
from distcausal.diagrams.combs import order_violation as order_violation
from distcausal.diagrams.counterfactual import (
    CounterfactualIdentification as CounterfactualIdentification,
)
from distcausal.diagrams.counterfactual import (
    identify_counterfactual as identify_counterfactual,
)
from distcausal.diagrams.crossworld import world_diagram as world_diagram
from distcausal.diagrams.derivation import Derivation as Derivation
from distcausal.diagrams.diagram import Diagram as Diagram
from distcausal.diagrams.disintegrate import bayes_inverse as bayes_inverse
from distcausal.diagrams.disintegrate import disintegrate as disintegrate
from distcausal.diagrams.effect_result import EffectContrast as EffectContrast
from distcausal.diagrams.effect_result import EffectResult as EffectResult
from distcausal.diagrams.estimate import estimate_effect as estimate_effect
from distcausal.diagrams.falsification import FalsificationTests as FalsificationTests
from distcausal.diagrams.falsify import falsify as falsify
from distcausal.diagrams.formula import Estimand as Estimand
from distcausal.diagrams.functional import functional_model as functional_model
from distcausal.diagrams.functional import response_functions as response_functions
from distcausal.diagrams.gaussian import GaussianChannel as GaussianChannel
from distcausal.diagrams.gaussian_model import GaussianModel as GaussianModel
from distcausal.diagrams.graph import CausalGraph as CausalGraph
from distcausal.diagrams.hedge import Hedge as Hedge
from distcausal.diagrams.identify import Identification as Identification
from distcausal.diagrams.identify import identify as identify
from distcausal.diagrams.labelled import LabelledArray as LabelledArray
from distcausal.diagrams.learned import learned_channel as learned_channel
from distcausal.diagrams.model import CausalModel as CausalModel
from distcausal.diagrams.outcomes import mix_distributions as mix_distributions
from distcausal.diagrams.random_model import random_model as random_model
from distcausal.diagrams.reals import Reals as Reals
from distcausal.diagrams.resample import Bootstrap as Bootstrap
from distcausal.diagrams.sampled import SampledChannel as SampledChannel
from distcausal.diagrams.space import Space as Space
from distcausal.diagrams.space import Ty as Ty
from distcausal.diagrams.structural import Copy as Copy
from distcausal.diagrams.structural import Discard as Discard
from distcausal.diagrams.structural import Effect as Effect
from distcausal.diagrams.structural import Id as Id
from distcausal.diagrams.structural import Point as Point
from distcausal.diagrams.structural import Swap as Swap
from distcausal.diagrams.structural import Uniform as Uniform
from distcausal.diagrams.witness import Witness as Witness
from distcausal.errors import ComplexityError as ComplexityError
from distcausal.errors import ConditioningError as ConditioningError
from distcausal.errors import ConvergenceError as ConvergenceError
from distcausal.errors import DataError as DataError
from distcausal.errors import DataWarning as DataWarning
from distcausal.errors import DesignError as DesignError
from distcausal.errors import DistCausalError as DistCausalError
from distcausal.errors import DistCausalWarning as DistCausalWarning
from distcausal.errors import GraphError as GraphError
from distcausal.errors import IdentificationError as IdentificationError
from distcausal.errors import InferenceWarning as InferenceWarning
from distcausal.errors import KeyError_ as KeyError_
from distcausal.errors import ModelError as ModelError
from distcausal.errors import PositivityError as PositivityError
from distcausal.errors import QueryError as QueryError
from distcausal.errors import SyntaxError_ as SyntaxError_
from distcausal.errors import TypeError_ as TypeError_
from distcausal.images.features import FeatureCache as FeatureCache
from distcausal.images.random_conv import RandomConvFeatures as RandomConvFeatures
from distcausal.images.source import ArraySource as ArraySource
from distcausal.images.source import ImageSource as ImageSource
from distcausal.images.stored import CallableSource as CallableSource
from distcausal.images.stored import FolderSource as FolderSource
from distcausal.images.stored import MemmapSource as MemmapSource
from distcausal.images.stored import ShardSource as ShardSource
from distcausal.rdd.api import r3d as r3d
from distcausal.rdd.api import r3d_bandwidth as r3d_bandwidth
from distcausal.rdd.bootstrap import MultiplierBootstrap as MultiplierBootstrap
from distcausal.rdd.functional import FunctionalEffect as FunctionalEffect
from distcausal.rdd.functional import functional_effect as functional_effect
from distcausal.rdd.hypotheses import homogeneity_test as homogeneity_test
from distcausal.rdd.hypotheses import nullity_test as nullity_test
from distcausal.rdd.parts import TestTable as TestTable
from distcausal.rdd.result import R3DBandwidth as R3DBandwidth
from distcausal.rdd.result import R3DResult as R3DResult

__version__: str
