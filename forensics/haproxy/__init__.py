"""What the memory and the stacks of a dead process say about HAProxy itself."""
