"""Sample evidence of dead (and one healthy) HAProxy processes, with the lab that makes it."""
