"""Files of builds from debuginfod servers: the cache that all clients share, and a client for those who ask for it."""
