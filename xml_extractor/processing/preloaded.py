"""What the fork server imports and compiles once, so that the processes it starts inherit it.

It starts no thread and opens no connection: neither survives a fork.
"""

import gc
import os
from contextlib import suppress
from pathlib import Path

gc.disable()  # collections would slow the imports

from xml_extractor.processing import parallel_coordinator, processes, worker  # noqa: E402

__all__ = ["parallel_coordinator"]

if path := os.environ.pop(processes.PRELOAD_VARIABLE, ""):
    # Whatever fails here fails again in the workers, which report it.
    with suppress(Exception):
        worker.share_plan(processes.take_over(Path(path)))
# Workers must not copy the memory that they share because a garbage collection writes to it. None is done before, as
# new objects in the place of garbage would not be shared.
gc.freeze()
gc.enable()
