"""Programs that write what the project keeps: data from elsewhere in a form of its own, generated documents."""
