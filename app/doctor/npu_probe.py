"""Child process of ``doctor``: opens the NPU as ``run`` would; whatever hangs or crashes in it is not the parent's."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from loguru import logger

from roma_device.app.model_store import find_model
from roma_device.calibration.errors import RomaError
from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import EngineOptions, NpuOptions, engine_facts, open_engine
from roma_device.runtime.engines.nodes import nodes_of, refusal


def probe(engine: str, model: str, npu: NpuOptions) -> dict[str, str]:
    """Fields of NpuState, once it is open; raises what ``run`` would end with."""
    card = find_model(model)
    if "axmodel" in card.files:
        return _state(_with_model(card, engine, npu))
    facts = _board(npu) if engine == "ax" else _card(npu)
    return _state(facts) | {"unused": f"model {card.name} has no axmodel file"}


def _state(facts: Mapping[str, str]) -> dict[str, str]:
    return {"told": ", ".join(f"{key} {value}" for key, value in facts.items())}


def _with_model(card: ModelCard, engine: str, npu: NpuOptions) -> Mapping[str, str]:
    opened = open_engine(card, engine, EngineOptions(card.fixed_size() or card.default_size, npu=npu))
    facts = dict(engine_facts(opened))
    opened.close()
    return facts


def _board(npu: NpuOptions) -> Mapping[str, str]:
    from roma_device.runtime.engines.ax.library import load_libraries, start_runtime
    from roma_device.runtime.engines.ax.memory import cmm_state

    libraries = load_libraries(npu.library_dir)
    with ExitStack() as stack:
        mode = start_runtime(libraries, npu.mode, stack)
        facts = {"chip": libraries.chip, "vnpu": mode, "engine ver": libraries.version}
        state = cmm_state(libraries.sys)
        return facts if state is None else facts | {"cmm": str(state)}


def _card(npu: NpuOptions) -> Mapping[str, str]:
    from roma_device.runtime.engines.axcl import abi
    from roma_device.runtime.engines.axcl.device import AxclDevice, card_states
    from roma_device.runtime.engines.vendor import load_library

    library = load_library(abi.LIBRARY, npu.library_dir)
    with ExitStack() as stack:
        device = AxclDevice(library, npu.device, npu.mode, stack)
        state = next(state for state in card_states(library) if state.id == device.id)
        facts = {"card": str(state.id), "software": state.version, "temperature": f"{state.temperature_c:.0f} C"}
        return facts | {"cmm": f"{state.free_cmm_kib >> 10} of {state.total_cmm_kib >> 10} MiB free"}


def main() -> None:
    """One argument of JSON; a line of JSON for the nodes, then one for the NPU, so that a hang leaves the first."""
    logger.remove()
    asked: dict[str, Any] = json.loads(sys.argv[1])
    nodes = {str(node): refusal(node) for node in nodes_of(asked["engine"], Path(asked["root"]))}
    print(json.dumps({"refused": {node: why for node, why in nodes.items() if why}}), flush=True)
    options = asked["npu"] | {"library_dir": asked["npu"]["library_dir"] and Path(asked["npu"]["library_dir"])}
    try:
        answer = probe(asked["engine"], asked["model"], NpuOptions(**options))
    except RomaError as error:
        answer = {"problem": str(error)}
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
