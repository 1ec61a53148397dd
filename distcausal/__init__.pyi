from distcausal import data as data
from distcausal import datasets as datasets
from distcausal import numerics as numerics
from distcausal import rdd as rdd
from distcausal._base.citation import cite as cite
from distcausal._base.jaxcompat import cache_compilations as cache_compilations
from distcausal._base.session import session_info as session_info
from distcausal.data.distributions import RandomDistributions as RandomDistributions
from distcausal.errors import ConvergenceError as ConvergenceError
from distcausal.errors import DataError as DataError
from distcausal.errors import DataWarning as DataWarning
from distcausal.errors import DesignError as DesignError
from distcausal.errors import DistCausalError as DistCausalError
from distcausal.errors import DistCausalWarning as DistCausalWarning
from distcausal.errors import IdentificationError as IdentificationError
from distcausal.errors import InferenceWarning as InferenceWarning
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
