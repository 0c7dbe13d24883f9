"""Your board's own libraries, on a PC: ``python -m tests.genuine --libraries DIR [MODEL.axmodel ...]``.

DIR holds the vendor's aarch64 ``libax_sys.so`` and ``libax_engine.so`` with all that they need, copied from a board;
nothing of it is part of this project. They run under qemu-user with faked device nodes (``nodes.c``), once with
``/dev/mem`` and once without the right to it, and of each model they say its type. Compared is what this program
believes of them. Needs ``qemu-aarch64`` (Debian: qemu-user or qemu-user-static) and ``aarch64-linux-gnu-gcc``;
``--native`` is for libraries of this machine.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from roma_device.runtime.engines.ax.errors import meaning

HERE = Path(__file__).parent
CROSS_ROOT = "/usr/aarch64-linux-gnu"
NO_TIMER = 0x800B0210
"""What AX_SYS_Init gave without /dev/mem with every library that was tried."""

LIMIT_S = 120


@dataclass(frozen=True)
class Toolchain:
    """How programs for the board's processor are made and run here."""

    compiler: str
    runner: tuple[str, ...] = ()

    @classmethod
    def cross(cls) -> Toolchain:
        """Raises SystemExit that says what is missing."""
        emulator = next((name for name in ("qemu-aarch64", "qemu-aarch64-static") if shutil.which(name)), None)
        if emulator is None or shutil.which("aarch64-linux-gnu-gcc") is None:
            sys.exit(
                "needs qemu-aarch64 and aarch64-linux-gnu-gcc: apt-get install qemu-user-static gcc-aarch64-linux-gnu"
            )
        return cls("aarch64-linux-gnu-gcc", (emulator, "-L", CROSS_ROOT))

    def build(self, name: str, target: Path, *flags: str) -> Path:
        """The program or library of the C file ``name``; raises CalledProcessError."""
        options = ["-O1", "-Wall", "-Wextra", "-Werror", *flags]
        libraries = ["-Wl,--no-as-needed", "-ldl", "-lm"]  # the vendor's use libm without naming it
        subprocess.run([self.compiler, *options, str(HERE / name), *libraries, "-o", str(target)], check=True)
        return target

    def run(self, words: Sequence[str], environment: dict[str, str]) -> str:
        """What the program prints, and how it ended where that was not well."""
        command = list(words)
        if self.runner:
            command = [
                *self.runner,
                *(f for name, value in environment.items() for f in ("-E", f"{name}={value}")),
                *words,
            ]
        own = None if self.runner else environment  # the emulator itself needs ours
        done = subprocess.run(command, env=own, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        return done.stdout + ("" if done.returncode == 0 else f"ended with {done.returncode}: {done.stderr.strip()}\n")


@dataclass
class Answers:
    """What the libraries gave."""

    version: str = ""
    init: int | None = None
    types: dict[str, tuple[int, int]] = field(default_factory=dict)  # model -> status, type
    rest: list[str] = field(default_factory=list)  # all else that was printed

    @classmethod
    def parse(cls, text: str) -> Answers:
        answers = cls()
        for line in text.splitlines():
            name, _, value = line.partition(" ")
            if name == "AX_ENGINE_GetVersion":
                answers.version = value
            elif name == "AX_SYS_Init":
                answers.init = int(value, 16)
            elif name == "AX_ENGINE_GetModelType":
                status, kind, path = value.split(" ", 2)
                answers.types[path] = int(status, 16), int(kind)
            elif name != "AX_SYS_Deinit":
                answers.rest.append(line)
        return answers


def asked(tools: Toolchain, libraries: Path, models: Sequence[Path], with_mem: bool, **extra: str) -> Answers:
    """The libraries' answers with the right to /dev/mem, or without."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = tools.build("drive.c", folder / "drive")
        preload = tools.build("nodes.c", folder / "nodes.so", "-shared", "-fPIC")
        environment = {"LD_LIBRARY_PATH": str(libraries.resolve()), "LD_PRELOAD": str(preload), **extra}
        if not with_mem:
            environment["NODES_REFUSED"] = "/dev/mem"
        return Answers.parse(tools.run([str(program), *(str(model.resolve()) for model in models)], environment))


def compared(with_mem: Answers, without: Answers) -> list[str]:
    """A line for each expectation: what it is, and whether it holds."""
    rows = [("AX_SYS_Init with /dev/mem gives 0", with_mem.init, 0), ("without, 0x800B0210", without.init, NO_TIMER)]
    lines = []
    for words, found, wanted in rows:
        shown = "nothing" if found is None else f"0x{found:08X}" + (f" ({meaning(found)})" if found else "")
        lines.append(f"{'ok  ' if found == wanted else 'FAIL'} {words}: {shown}")
    return lines


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--libraries", type=Path, required=True, help="folder with libax_sys.so and libax_engine.so")
    parser.add_argument("--native", action="store_true", help="they are for this machine, not for aarch64")
    parser.add_argument("models", type=Path, nargs="*", help="compiled models")
    arguments = parser.parse_args(words)
    for path in (arguments.libraries / "libax_sys.so", arguments.libraries / "libax_engine.so", *arguments.models):
        if not path.exists():
            sys.exit(f"{path} is not there")
    tools = Toolchain("cc") if arguments.native else Toolchain.cross()
    answers = [asked(tools, arguments.libraries, arguments.models, with_mem) for with_mem in (True, False)]
    print(f"version: {answers[0].version or 'not told'}")
    lines = compared(answers[0], answers[1])
    print("\n".join(lines))
    for path, (status, kind) in answers[0].types.items():
        print(f"     {path}: " + (f"type {kind}" if status == 0 else f"0x{status:08X} ({meaning(status)})"))
    for line in answers[0].rest:
        print(f"     {line}")
    return int(any(line.startswith("FAIL") for line in lines))


if __name__ == "__main__":
    sys.exit(main())
