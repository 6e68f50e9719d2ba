"""Tests of forensics.logs, on logs of real processes."""
