"""Tests of what happens around a death."""
