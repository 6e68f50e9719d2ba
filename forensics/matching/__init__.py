"""Signatures against facts."""
