"""What an address of a dead process is: which object lies there, whose it is, and what a crash touched."""
