"""Delete metrics files and rejected documents of runs that started longer ago than the user wants to keep them."""

import logging
import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path

logger = logging.getLogger(__name__)

_NAME_OF_A_RUN = re.compile(r"(?:metrics_)?(\d{8}T\d{6})\d{3}-[0-9a-f]{8}(?:\.json)?")
"""A metrics file or a directory of rejects. Other files are left alone."""


def delete_old_runs(directory: Path | None, days: int | None, now: datetime) -> None:
    """Delete what runs have written to a directory that started more than some days before `now`.

    Args:
        directory: Of metrics or of rejects; None for none.
        days: How long to keep them; None for ever.
        now: Naive UTC.
    """
    if directory is None or days is None:
        return
    deleted = 0
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        named = _NAME_OF_A_RUN.fullmatch(path.name)
        if named is None or now - datetime.strptime(named[1], "%Y%m%dT%H%M%S") <= timedelta(days=days):  # noqa: DTZ007 - naive UTC
            continue
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError as error:
            logger.warning("%s is older than %d days and cannot be deleted: %s", path, days, error.strerror)
        else:
            deleted += 1
    if deleted:
        logger.info("Deleted what %d runs older than %d days had written to %s", deleted, days, directory)
