"""Many incidents at once: inputs found, worker processes with limits, equal crashes grouped."""
