"""How the process died: one reader for each way to die, and the one that asks them all (``cause``)."""
