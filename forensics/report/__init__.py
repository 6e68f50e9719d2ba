"""The answer as one document, and its renderings."""
