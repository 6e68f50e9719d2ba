"""What came before a death and after it, from all logs, in order of time."""
