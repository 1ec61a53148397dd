"""Features of images from a memory map: time, memory, and the limit beside them.

Each size is a fresh process: it maps the file, fits the default encoder to all images
and has their features, imports and compilation included. Peak memory is that of the
whole process. Time of the processor, summed over cores, is told beside that of the
clock: on a machine with other work it is the one to believe.

The limit is the product of patches and filters alone, 2 * positions * pixels of a patch
* filters operations for each image, at the speed at which this process multiplies
matrices of exactly that shape, and two passes over the bytes, one for moments and
digests and one to encode, for which a plain sum of the mapped bytes is timed. Both are
processor time, as is their share of the time taken.

The first row is of grey images of 32 x 32, all others of 64 x 64 in three colours.

Run ``python -m benchmarks.images_size`` (a few minutes, 1.2 GB in the temporary
folder); ``--sizes`` takes others.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

GREY = (32, 32, 1)
COLOURED = (64, 64, 3)
SIZES = (1_000, 10_000, 100_000)
BLOCK = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measured(given.one)))
        return
    heads = (
        "images",
        "whole process, s",
        "features, s",
        "processor, s",
        "processor, ms per image",
        "products alone, ms",
        "reading twice, ms",
        "share of the limit",
        "peak memory, MB",
        "file, MB",
    )
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for shape in ((5_000, *GREY), *((size, *COLOURED) for size in given.sizes)):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "images.npy"
            write(file, shape)
            row(shape, file)


def write(file: Path, shape: tuple[int, int, int, int]) -> None:
    """Fill a file with smooth images in bytes, block by block.

    Not through a map: a process hands its peak memory on to those that it starts.
    """
    rng = np.random.default_rng(0)
    count, side, _, channels = shape
    kind = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with file.open("wb") as stored:
        np.lib.format.write_array_header_1_0(stored, kind)
        for start in range(0, count, BLOCK):
            number = min(BLOCK, count - start)
            coarse = rng.integers(40, 216, (number, side // 8, side // 8, channels))
            smooth = coarse.repeat(8, axis=1).repeat(8, axis=2)
            smooth += rng.integers(-40, 40, smooth.shape)
            stored.write(smooth.astype(np.uint8).tobytes())


def row(shape: tuple[int, int, int, int], file: Path) -> None:
    """Measure one size in a process of its own and print it."""
    size = shape[0]
    command = [sys.executable, "-m", "benchmarks.images_size", "--one", str(file)]
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    whole = time.perf_counter() - start - found["apart"]
    each = 1e3 * found["processor"] / size
    limit = found["product"] + found["reading"]
    cells = (
        f"{size:,} of {' x '.join(map(str, shape[1:]))}",
        f"{whole:.1f}",
        f"{found['fit']:.1f}",
        f"{found['processor']:.1f}",
        f"{each:.3f}",
        f"{found['product']:.3f}",
        f"{found['reading']:.3f}",
        f"{limit / each:.0%}",
        f"{found['peak'] / 1e6:.0f}",
        f"{file.stat().st_size / 1e6:.0f}",
    )
    print(f"| {' | '.join(cells)} |", flush=True)


def measured(file: Path) -> dict[str, float]:
    """Seconds of the fit, milliseconds of the limit, peak memory of this process."""
    import distcausal as dc
    from distcausal.images.features import fit_features

    encoder = dc.RandomConvFeatures()
    start, work = time.perf_counter(), time.process_time()
    fitted, found = fit_features(encoder, dc.MemmapSource(file), progress=False)
    fit, work = time.perf_counter() - start, time.process_time() - work
    assert np.isfinite(found).all()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    start = time.perf_counter()
    product = product_alone(fitted)
    reading = 2 * reading_once(file)
    apart = time.perf_counter() - start
    return {
        "fit": fit,
        "processor": work,
        "peak": peak,
        "product": product,
        "reading": reading,
        "apart": apart,
    }


def product_alone(fitted: object) -> float:
    """Milliseconds of one product of patches and filters of one image, the least."""
    recipe, columns = fitted.recipe, fitted.state["filters"]
    positions = len(range(0, fitted.shape[0] - recipe.patch + 1, recipe.stride)) ** 2
    rng = np.random.default_rng(0)
    rows = rng.random((positions, len(columns)), np.float32)
    out = np.empty((positions, columns.shape[1]), np.float32)
    times = []
    for _ in range(20):
        start = time.process_time()
        for _ in range(20):
            np.matmul(rows, columns, out=out)
        times.append((time.process_time() - start) / 20)
    return 1e3 * min(times)


def reading_once(file: Path) -> float:
    """Milliseconds per image of a sum over the mapped bytes."""
    images = np.load(file, mmap_mode="r")
    start = time.process_time()
    for place in range(0, len(images), BLOCK):
        images[place : place + BLOCK].sum(dtype=np.int64)
    return 1e3 * (time.process_time() - start) / len(images)


if __name__ == "__main__":
    main()
