"""What HAProxy's releases had, and where: knowledge about all builds that no single crash tells."""
