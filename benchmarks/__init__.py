"""Side by side with gdb, eu-stack and drgn, on one machine, in one run: the ratios are what counts."""
