"""Names, lines, inlined calls: where debug files lie, what they say, and what is kept of it."""
