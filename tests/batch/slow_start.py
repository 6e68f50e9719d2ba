"""Work whose worker takes long to start."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

time.sleep(1.0)


def analyse(path: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """An answer at once."""
    return {}
