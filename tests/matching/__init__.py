"""Tests of forensics.matching."""
