"""What the verdicts mean for the reader: findings ranked, the fingerprint, the release to install, what to do next."""
