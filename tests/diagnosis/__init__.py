"""Tests of forensics.diagnosis."""
