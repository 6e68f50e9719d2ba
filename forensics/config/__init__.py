"""haproxy.cfg as a witness: only what signatures ask, never its secrets."""

from forensics.config.lines import looks_like_config, opens_section
from forensics.config.parse import parse, parse_files
from forensics.config.settings import ConfigEvidence

__all__ = ["ConfigEvidence", "looks_like_config", "opens_section", "parse", "parse_files"]
