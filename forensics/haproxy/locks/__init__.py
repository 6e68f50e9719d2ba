"""Locks that threads wait for: whose they are, what their words say, and who holds them."""
