"""Compiles the stand-in libraries with the system's C compiler: ``python -m tests.standin.build FOLDER``.

``CC`` chooses another compiler, such as one for arm64. Where ``ROMA_STANDIN_DIR`` is set, tests take the libraries
from that folder instead of compiling them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
PREBUILT_VARIABLE = "ROMA_STANDIN_DIR"
SOURCES = {
    "libaxcl_rt.so": ("ledger.c", "axcl_rt.c", "axcl_memory.c", "axcl_stream.c", "axcl_engine.c", "axcl_io.c"),
    "libax_sys.so": ("ledger.c", "ax_sys.c", "ax_cache.c"),
    "libax_engine.so": ("ax_engine.c", "ax_info.c", "ax_run.c"),
}
NEEDED = {"libax_engine.so": "libax_sys.so"}
"""Library -> the one beside it that it uses, which comes first."""

VARIANTS = {
    "ax620e": ("-DAX620E",),
    "m57h": ("-DM57H",),
    "old_sdk": ("-DOLD_SDK",),  # without groups of shapes
    "bare_sdk": ("-DOLD_SDK", "-DBARE"),  # without all that our engine can do without
    "broken_sdk": ("-DBROKEN_SDK",),
}
"""Subfolder with another libax_engine.so -> how it is compiled: for another chip, with fewer functions."""

FLAGS = ("-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden", "-pthread")


def compiler() -> str | None:
    """Path of the C compiler, None where there is none."""
    return shutil.which(os.environ.get("CC", "cc"))


def build(library: str, folder: Path, *flags: str, soname: str = "") -> Path:
    """The library ``library`` in ``folder``, compiled with ``flags`` besides; raises CalledProcessError."""
    target = folder / library
    found = compiler()
    assert found is not None, "there is no C compiler"
    sources = [str(HERE / name) for name in SOURCES[library]]
    links = [f"-Wl,-soname,{soname or library}", "-Wl,-rpath,$ORIGIN"]
    if library in NEEDED:
        links.append(str(folder / NEEDED[library]))
    subprocess.run([found, *FLAGS, *flags, *sources, *links, "-lm", "-o", str(target)], check=True)
    return target


def build_variant(name: str, folder: Path) -> Path:
    """The subfolder ``name`` of ``folder`` with the two libraries of a board.

    A libax_sys.so of its own, which ax620e alone needs, goes by another name inside: where one of that name is loaded
    already, the loader would take that.
    """
    inner = folder / name
    inner.mkdir(exist_ok=True)
    if name == "ax620e":
        build("libax_sys.so", inner, *VARIANTS[name], soname="libax_sys-ax620e.so")
        (inner / "libax_sys-ax620e.so").symlink_to("libax_sys.so")
    else:
        (inner / "libax_sys.so").symlink_to(Path("..", "libax_sys.so"))
    build("libax_engine.so", inner, *VARIANTS[name])
    return inner


def build_all(folder: Path) -> None:
    """All libraries and variants in ``folder``, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    build("libax_sys.so", folder)
    with ThreadPoolExecutor() as pool:
        jobs = [pool.submit(build, name, folder) for name in SOURCES if name != "libax_sys.so"]
        jobs += [pool.submit(build_variant, name, folder) for name in VARIANTS]
        for job in jobs:
            job.result()


if __name__ == "__main__":
    build_all(Path(sys.argv[1]))
