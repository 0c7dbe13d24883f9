"""Workers by the name of their place; Dask is imported where it is needed."""

from __future__ import annotations

from roma_device.runtime.extras import install_line

from . import Workers, WorkersError
from .address import Local, parse_address


def open_workers(text: str, model: str | None = None) -> Workers:
    """The workers that ``text`` names; ``model``: a bundle that those of other machines must have in the same version.

    Raises WorkersError.
    """
    place = parse_address(text)
    if isinstance(place, Local) and place.count == 1:
        from .in_process import InProcess

        return InProcess()
    try:
        from .dask_workers import local_workers, scheduler_workers
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("dask", "distributed"):
            raise
        message = f"--on {text} needs Dask: {install_line('batch')}; --on local:1 needs nothing"
        raise WorkersError(message) from None

    if isinstance(place, Local):
        return local_workers(place.count, model)
    return scheduler_workers(place, model)
