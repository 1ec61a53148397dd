"""Seeds: all of their digits count, whatever JAX is set to, and keys are keys."""

import subprocess
import sys

import jax
import numpy as np
import pytest

import distcausal as dc
from distcausal._base.keys import check_seed, stream


def words(seed):
    return np.asarray(jax.random.key_data(stream(seed, "a stage"))).tolist()


def test_all_digits_of_a_seed_count():
    assert words(2**32 + 7) != words(7)
    assert words(7) == words(np.int64(7))


def test_a_number_and_the_key_made_from_it_are_one_seed():
    assert words(7) == words(jax.random.key(7))
    with jax.enable_x64(True):
        assert words(2**32 + 7) == words(jax.random.key(2**32 + 7))


@pytest.mark.parametrize("seed", [-1, 2**63, 1.0, True, "1", None, np.array([1, 2])])
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(dc.DesignError, match="seed"):
        check_seed(seed)


def test_keys_of_the_old_style_are_refused_in_words():
    with pytest.raises(dc.DesignError, match=r"jax\.random\.key"):
        check_seed(jax.random.PRNGKey(0))


def test_drawing_on_the_host_waits_for_no_jax():
    code = (
        "import sys, numpy as np;"
        "from distcausal._base.keys import check_seed, host_stream, seed_record;"
        "[check_seed(s) or seed_record(s) for s in (7, np.int64(7))];"
        "host_stream(7, 'a stage').random();"
        "assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
