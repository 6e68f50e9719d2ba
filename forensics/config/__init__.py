"""haproxy.cfg as a witness: only what signatures ask, never its secrets."""

from forensics.config.parse import ConfigEvidence, looks_like_config, parse

__all__ = ["ConfigEvidence", "looks_like_config", "parse"]
