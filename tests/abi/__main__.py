"""Compares our bindings with a user's own headers and libraries of the vendor: ``python -m tests.abi --help``."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from roma_device.runtime.engines.ax import abi as ax_abi
from roma_device.runtime.engines.axcl import abi as axcl_abi

from .elf import NotALibrary, exported, machine
from .layout import AX, AXCL, FAMILIES, compiled, differences, recorded

BINDINGS = {
    "libax_sys": (ax_abi.SYS_PROTOTYPES, ax_abi.OPTIONAL),
    "libax_engine": (ax_abi.ENGINE_PROTOTYPES, ax_abi.OPTIONAL),
    "libaxcl_rt": (axcl_abi.PROTOTYPES, axcl_abi.OPTIONAL),
}
"""Beginning of a library's file name -> what we call of it, and what of that may be missing."""


def check_headers(folder: Path) -> list[str]:
    """Problems with the headers in ``folder``, which may be those of the board, of the card or both."""
    problems, known = [], False
    for name, family in (("board", AX), ("card", AXCL)):
        if not any(folder.rglob(family.headers[0])):
            continue
        known = True
        try:
            found = differences(family, compiled(family, folder))
        except subprocess.CalledProcessError as error:
            found = [f"the compiler does not take the headers: {error.stderr.decode(errors='replace').strip()}"]
        print(f"{folder}: {name}, {len(family.structs)} structs, {len(found)} differences")
        problems += found
    return problems if known else [f"{folder}: neither {AX.headers[0]} nor {AXCL.headers[0]} is in it"]


def check_library(path: Path) -> list[str]:
    """Problems with the library ``path``, which is read and not loaded."""
    names = next((binding for start, binding in BINDINGS.items() if path.name.startswith(start)), None)
    if names is None:
        return [f"{path}: the name tells not which library it is; known: {', '.join(BINDINGS)}"]
    functions, optional = names
    try:
        missing = [name for name in functions if name not in exported(path)]
        kind = machine(path.read_bytes())
    except (NotALibrary, OSError) as error:
        return [f"{path}: {error}"]
    print(f"{path}: {kind}, {len(functions) - len(missing)} of {len(functions)} functions")
    for name in missing:
        if name in optional:
            print(f"  without {name}, which may be")
    return [f"{path}: has no {name}" for name in missing if name not in optional]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.abi", description=__doc__.partition(":")[0] + ".")
    parser.add_argument(
        "--headers", type=Path, action="append", default=[], metavar="DIR", help="folder with the vendor's headers"
    )
    parser.add_argument(
        "--library",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="libax_sys.so, libax_engine.so or libaxcl_rt.so",
    )
    chosen = parser.parse_args()
    problems = [problem for folder in chosen.headers for problem in check_headers(folder)]
    problems += [problem for path in chosen.library for problem in check_library(path)]
    if not chosen.headers and not chosen.library:
        for name, family in FAMILIES.items():
            found = differences(family, recorded(name))
            print(f"recorded layouts of {name}: {len(family.structs)} structs, {len(found)} differences")
            problems += found
    print("\n".join(problems) or "all agrees")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
