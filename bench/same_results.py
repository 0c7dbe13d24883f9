"""Regression test of results: what the installed program gives, as hashes and texts; do two trees give the same?

    python -m bench.same_results [--only REGEX] [--model BUNDLE] FOLDER
    python -m bench.same_results --compare BEFORE AFTER

The first writes FOLDER/results.json, and the files it is made from into FOLDER/files. The second says what differs
between two such folders; exit code 1 if anything does. The command line alone is used, therefore this script and
result_cases.py serve trees whose modules lie elsewhere. What depends on the clock (times, rates,
dates, and the record run.json, which is full of them) is left out; all else must be the same to the bit on one machine
with the same libraries. Cases whose data are not in ../shared/data are skipped. With --only, cases whose names match
are run, and --compare looks at no others.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.result_cases import DATA, Case, cases, input_cases

PROGRAM = [sys.executable, "-m", "roma_device.app.cli", "--quiet"]
CLOCK = re.compile(r"(^|_)ms$|^times$|^fps$|cpu|latency|_per_hour$|^made_at$")
"""Keys whose values depend on the clock."""
DATE = re.compile(r"(# )?made_at:")
AS_TEXT = {".yaml", ".tum", ".txt"}
LIBRARIES = ("numpy", "opencv-python-headless", "onnxruntime", "openvino")
MOST_SHOWN = 40


def without_clock(value: Any) -> Any:
    """A JSON value less the entries that depend on the clock."""
    if isinstance(value, dict):
        return {key: without_clock(inner) for key, inner in value.items() if not CLOCK.search(key)}
    return [without_clock(inner) for inner in value] if isinstance(value, list) else value


def parsed(line: str) -> Any:
    """A line as JSON without what depends on the clock, or as it is."""
    try:
        return without_clock(json.loads(line))
    except json.JSONDecodeError:
        return line


def content(path: Path) -> Any:
    """Lines of a text file less dates, or the SHA-256 of any other."""
    if path.suffix == ".jsonl":
        return [parsed(line) for line in path.read_text().splitlines()]
    if path.suffix in AS_TEXT:
        return [line for line in path.read_text().splitlines() if not DATE.match(line)]
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files_in(folder: Path) -> set[Path]:
    """Files of a folder, the linked data, the program's home and records of runs left out."""
    apart = (folder / "data", folder / "home")
    found = {path for path in folder.rglob("*") if path.is_file() and path.name != "run.json"}
    return {path for path in found if not any(path.is_relative_to(each) for each in apart)}


def environment(work: Path) -> dict[str, str]:
    """One thread for the numeric libraries, and a home without stored calibrations and settings."""
    single = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    homes = ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
    return {**os.environ, **single, **dict.fromkeys(homes, str(work / "home"))}


def result_of(case: Case, work: Path) -> dict[str, Any]:
    """Exit code, output and new files of one call, run in the folder ``work``."""
    if case.needs and not (DATA / case.needs).exists():
        return {"skipped": f"no {case.needs} in ../shared/data"}
    output = ["--output", case.name.replace(" ", "-")] if case.output else []
    before = files_in(work)
    command = [*PROGRAM, *case.arguments, *output]
    done = subprocess.run(command, cwd=work, env=environment(work), capture_output=True, text=True, check=False)
    printed = [parsed(line) for line in done.stdout.splitlines()]
    new = {str(path.relative_to(work)): content(path) for path in sorted(files_in(work) - before)}
    errors = done.stderr.splitlines()[-1:] if done.returncode else []
    return {"exit": done.returncode, "printed": printed, "files": new, "errors": errors}


def libraries() -> dict[str, str]:
    """Versions that results depend on."""
    found = {"python": sys.version.split()[0]}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def collect(folder: Path, only: str, model: Path | None = None) -> None:
    """Run the cases whose names match and write results.json."""
    work = folder.resolve() / "files"
    shutil.rmtree(work, ignore_errors=True)
    (work / "home").mkdir(parents=True)
    if DATA.is_dir():
        (work / "data").symlink_to(DATA)
    results: dict[str, Any] = {}
    for case in (one for one in (*cases(), *input_cases(work, model)) if re.search(only, one.name)):
        start = time.monotonic()
        results[case.name] = one = result_of(case, work)
        state = one.get("skipped") or f"exit {one['exit']}, {len(one['files'])} files"
        print(f"{case.name}: {state}, {time.monotonic() - start:.1f} s", flush=True)
    document = {"libraries": libraries(), "only": only, "cases": results}
    (folder / "results.json").write_text(json.dumps(document, indent=1) + "\n")


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every single value of a JSON document with the way to it; empty lists and objects count as values."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not entries or not value:
        yield path, value
    for key, inner in entries:
        yield from leaves(inner, f"{path}/{key}")


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """One line for every value that is not the same."""
    old, new = dict(leaves(before)), dict(leaves(after))
    missing = "(nothing)"
    return [
        f"{path}: {old.get(path, missing)} -> {new.get(path, missing)}"
        for path in sorted({*old, *new})
        if path not in old or path not in new or old[path] != new[path]
    ]


def wanted(found: dict[str, Any], *patterns: str) -> dict[str, Any]:
    """The cases whose names match all the patterns."""
    return {name: one for name, one in found.items() if all(re.search(pattern, name) for pattern in patterns)}


def compare(before: Path, after: Path) -> int:
    """Print what differs; the exit code."""
    old, new = (json.loads((folder / "results.json").read_text()) for folder in (before, after))
    old_cases, new_cases = (wanted(document["cases"], old["only"], new["only"]) for document in (old, new))
    found = differences(old_cases, new_cases)
    for line in differences(old["libraries"], new["libraries"]):
        print(f"other library {line}")
    for line in found[:MOST_SHOWN]:
        print(line)
    ran = [name for name, one in old_cases.items() if "skipped" not in one]
    print(f"{len(found)} values differ" if found else f"equal: {len(ran)} of {len(old_cases)} cases ran")
    return 1 if found or not ran else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="folder to write results.json into")
    parser.add_argument("--only", default="", metavar="REGEX", help="names of the cases to run")
    parser.add_argument("--model", type=Path, help="bundle for the cases of inputs, where the trees have other weights")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("BEFORE", "AFTER"))
    options = parser.parse_args()
    if options.compare:
        raise SystemExit(compare(*options.compare))
    if options.folder is None:
        parser.error("a folder, or --compare with two of them")
    collect(options.folder, options.only, options.model)


if __name__ == "__main__":
    main()
