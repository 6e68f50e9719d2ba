"""Answers to show."""
