"""The date of a calibration, as its file has it."""

from __future__ import annotations

from datetime import datetime, timezone


def made_at_utc(made_at: str) -> datetime | None:
    """ISO 8601, of UTC where it names no zone; None where there is none."""
    try:
        made = datetime.fromisoformat(made_at.replace("Z", "+00:00"))
    except ValueError:
        return None
    return made if made.tzinfo else made.replace(tzinfo=timezone.utc)


def age_days(made_at: str) -> int | None:
    """Whole days since then; None where there is no date."""
    made = made_at_utc(made_at)
    return None if made is None else (datetime.now(timezone.utc) - made).days
