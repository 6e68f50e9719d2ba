"""Random-access bytes: local files, compressed streams, and the memory of a dead process."""
