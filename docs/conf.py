"""Sphinx configuration: ``sphinx-build -c docs -W . site`` from the repository root.

Everything is built from installed packages, without network. Links into the pages of
other projects need their inventories; DISTCAUSAL_DOCS_LINKS=1 fetches them.
"""

import os
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import distcausal

project = "distcausal"
author = copyright = "The distcausal authors"
version = release = distcausal.__version__

root_doc = "docs/index"
include_patterns = ["docs/**", "vignettes/**"]
exclude_patterns = ["docs/_templates"]
templates_path = ["_templates"]
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
]

myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 180
nb_merge_streams = True

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_validation_checks = {"GL08", "PR02"}
numpydoc_validation_exclude = {r"\._", r"__\w+__"}

html_theme = "pydata_sphinx_theme"
html_title = "distcausal"
html_theme_options = {
    "show_prev_next": False,
    "navbar_align": "left",
    "secondary_sidebar_items": ["page-toc"],
}
html_sidebars = {"**": []}
html_show_sourcelink = False

if os.environ.get("DISTCAUSAL_DOCS_LINKS"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "numpy": ("https://numpy.org/doc/stable/", None),
        "pandas": ("https://pandas.pydata.org/docs/", None),
        "jax": ("https://docs.jax.dev/en/latest/", None),
    }


def escape_errors(_app: Any, _what: str, _name: str, _obj: Any, *rest: Any) -> None:
    """Let errors that end in an underscore be names, which markup takes for links."""
    lines = rest[-1]
    lines[:] = [
        re.sub(r"(?<!`)\b((?:Syntax|Type)Error)_\b", r"\1\\_", x) for x in lines
    ]


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", escape_errors, priority=900)
