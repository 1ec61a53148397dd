"""Names for array shapes; checked in the test suite, free at run time.

``Real[Array, "unit level"]`` reads as: floating point, one row per unit, one column
per quantile level. With jaxtyping installed the annotations are real; without it they
are inert.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jax import Array as Array

if TYPE_CHECKING:
    from typing import Annotated as Count
    from typing import Annotated as Flag
    from typing import Annotated as Real
else:
    try:
        from jaxtyping import Bool as Flag
        from jaxtyping import Float as Real
        from jaxtyping import Int as Count
    except ImportError:

        class Real:
            """Stand-in that accepts any shape string and means nothing."""

            def __class_getitem__(cls, shape: object) -> object:
                return object

        Count = Flag = Real

__all__ = ["Array", "Count", "Flag", "Real"]
