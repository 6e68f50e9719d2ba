"""Memory that HAProxy handed out: objects of pools, allocated and free, and chunks of malloc."""
