"""Tests of forensics.report."""
