"""Registers to frames, each with its trust."""
