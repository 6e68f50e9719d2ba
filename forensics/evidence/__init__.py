"""Facts with their sources: the one place where core and log meet."""
