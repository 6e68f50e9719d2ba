"""haproxy-forensics: what killed this HAProxy, and what to do now.

The floors are listed in ARCHITECTURE.md. Programs call :func:`forensics.api.triage`.
"""

__version__ = "0.1.0"
