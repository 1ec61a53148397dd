"""Set-up and draws of a space whose features are stored in a file, beside the limit.

Set-up reads the file three times. Its limit is three times the bytes of the file over
the speed at which a plain sum reads them, measured on the same file just before: from
the disk for a cold file, from the page cache for a warm one. A draw reads a hundred
rows or so, and its cost does not depend on their number.

Run ``python -m benchmarks.design_stream`` (10^7 rows of 20 features, 1.6 GB of disk in
the temporary folder, a minute or two); ``--rows`` takes fewer.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

import distcausal as dc

FEATURES = 20
BLOCK = 65_536
DRAWS = 256


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=10_000_000)
    rows = arguments.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "features.npy"
        write(file, rows)
        measure(np.load(file, mmap_mode="r"))


def write(file: Path, rows: int) -> None:
    """Fill a file with normal numbers, block by block."""
    rng = np.random.default_rng(0)
    stored = np.lib.format.open_memmap(file, "w+", shape=(rows, FEATURES))
    for start in range(0, rows, BLOCK):
        part = stored[start : start + BLOCK]
        part[:] = rng.standard_normal(part.shape)
    stored.flush()


def measure(features: np.ndarray) -> None:
    """Print the limit, set-up, one draw and many draws."""
    size = features.nbytes
    start = time.perf_counter()
    for place in range(0, len(features), BLOCK):
        features[place : place + BLOCK].sum()
    once = time.perf_counter() - start
    print(f"{len(features)} rows, {size / 1e9:.2f} GB, read at {size / once / 1e9:.1f}")
    before = anonymous()
    start = time.perf_counter()
    space = dc.StreamedSpace(features)
    spent = time.perf_counter() - start
    print(f"set-up {spent:.1f} s; limit, three readings, {3 * once:.1f} s")
    design = dc.ProjectionDPP(space)
    for draws in (1, DRAWS):
        design.sample_many(draws)  # compiles
        start = time.perf_counter()
        design.sample_many(draws, seed=1)
        spent = (time.perf_counter() - start) / draws
        print(f"{draws} draws: {1e3 * spent:.2f} ms each")
    held = anonymous() - before
    print(f"memory held by space and draws {held / 1e6:.0f} MB")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"peak resident {peak / 1e6:.0f} MB, pages of the file included")


def anonymous() -> int:
    """Bytes of this process's own memory, pages of files left out."""
    status = Path("/proc/self/status").read_text("ascii")
    line = next(one for one in status.splitlines() if one.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
