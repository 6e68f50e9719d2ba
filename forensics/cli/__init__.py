"""Words on the terminal: data to stdout, everything else to stderr."""

import gc

# A command makes no garbage worth collecting while it imports: the collector's default costs 4% of a warm triage.
gc.set_threshold(100_000, 50, 50)
