"""Whether debuginfod servers may be asked, which, and for how long.

Never without consent: ``--debuginfod`` (or a server's URL) on the command line, or ``debuginfod = true`` in
``$XDG_CONFIG_HOME/haproxy-forensics/config.toml`` together with servers in ``DEBUGINFOD_URLS``. Many systems
set that variable for everybody; a build-id of a private build would then leave the house without a word.
"""

from __future__ import annotations

import os
from typing import Any

from forensics.errors import UsageError
from forensics.record import record
from forensics.symbols.places import DEFAULT_DEADLINE, Places

#: Bytes of the largest file that is fetched, unless DEBUGINFOD_MAXSIZE says less.
_MAX_SIZE = 2 << 30


@record
class Settings:
    """``urls`` of servers; ``deadline`` in seconds for all requests of a run; ``max_size`` of one file in bytes."""

    urls: tuple[str, ...]
    deadline: float
    max_size: int


def asked(places: Places) -> bool:
    """Whether servers may be asked."""
    if places.debuginfod or places.debuginfod_urls:
        return True
    return bool(os.environ.get("DEBUGINFOD_URLS", "").strip()) and _configuration().get("debuginfod") is True


def settings_of(places: Places) -> Settings:
    """What the user chose. UsageError when servers are wanted, but none is known."""
    urls = places.debuginfod_urls or tuple(os.environ.get("DEBUGINFOD_URLS", "").split())
    # elfutils 0.192 knows words such as `ima:enforcing` among the URLs.
    urls = tuple(dict.fromkeys(url for url in urls if not url.startswith("ima:")))
    if not urls:
        raise UsageError(
            "`--debuginfod` knows no server to ask",
            "set DEBUGINFOD_URLS, or give `--debuginfod-url`, as in `--debuginfod-url https://debuginfod.elfutils.org`",
        )
    for url in urls:
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"`{url}` is no server of debuginfod", "give a URL that begins with http:// or https://")
    return Settings(urls, _deadline(places), _max_size())


def _deadline(places: Places) -> float:
    if places.debuginfod_deadline > 0:
        return places.debuginfod_deadline
    configured = _configuration().get("debuginfod_timeout")
    return float(configured) if isinstance(configured, int | float) and configured > 0 else DEFAULT_DEADLINE


def _max_size() -> int:
    try:
        wanted = int(os.environ.get("DEBUGINFOD_MAXSIZE", ""))
    except ValueError:
        return _MAX_SIZE
    return min(wanted, _MAX_SIZE) if wanted > 0 else _MAX_SIZE


def configuration_path() -> str:
    """The user's configuration file."""
    root = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(root, "haproxy-forensics", "config.toml")


def _configuration() -> dict[str, Any]:
    """The values of the configuration file; none without one. UsageError when it is no TOML."""
    path = configuration_path()
    try:
        with open(path, "rb") as file:
            data = file.read(1 << 16)
    except OSError:
        return {}
    import tomllib

    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise UsageError(f"`{path}` is no TOML: {error}", "a line is `debuginfod = true`") from error
