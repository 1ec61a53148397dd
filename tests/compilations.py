"""Counting what JAX traces and compiles inside a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax

COMPILED = "/jax/core/compile/backend_compile_duration"
TRACED = "/jax/core/compile/jaxpr_trace_duration"


@contextmanager
def counting(*events: str) -> Iterator[list[str]]:
    """Names of the listed JAX events that happen inside the block."""
    seen: list[str] = []
    active = [True]

    def listen(event: str, duration: float, **_: object) -> None:
        if active[0] and event in events:
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield seen
    finally:
        active[0] = False  # listeners cannot be removed one by one
