"""What happened around a death: starts and reloads, servers and limits, traffic and how it ended.

None of it says why a process died; together it says what came before, how long nothing worked, and what came back.
"""

from __future__ import annotations
