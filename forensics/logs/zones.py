"""Times that name no zone: what they are in UTC, where the user says of which place they are."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from forensics.errors import UsageError

if TYPE_CHECKING:
    from datetime import tzinfo

_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)\Z")
_HINT = "a name such as `Europe/Berlin` or `UTC`, or an offset such as `+02:00`"


class Zone:
    """A zone by its name in the tz database, or by its offset. Raises UsageError for one that is not known."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._zone = _zone(name)

    def utc(self, local: float) -> float:
        """Seconds of UTC of a local time in seconds; of an hour that comes twice, the first."""
        return local - _offset(self._zone, round(local))


@lru_cache(4096)
def _offset(zone: tzinfo, local: int) -> float:
    from datetime import datetime, timedelta

    moment = datetime(1970, 1, 1, tzinfo=zone) + timedelta(seconds=local)
    ahead = moment.utcoffset()
    return ahead.total_seconds() if ahead else 0.0


@lru_cache(8)
def _zone(name: str) -> tzinfo:
    from datetime import timedelta, timezone

    if match := _OFFSET.match(name):
        ahead = timedelta(hours=int(match[2]), minutes=int(match[3]))
        if ahead > timedelta(hours=14):
            raise UsageError(f"no zone is `{name}` ahead", _HINT)
        return timezone(ahead if match[1] == "+" else -ahead)
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError) as error:
        raise UsageError(f"there is no zone `{name}` on this machine", _HINT) from error
