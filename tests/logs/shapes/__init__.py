"""The shapes in which deaths are written, of all releases, by who wrote them: what facts each gives.

Real lines, or made as the source prints.
"""
