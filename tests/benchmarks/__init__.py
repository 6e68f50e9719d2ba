"""Memory on a core that is larger than any machine."""
