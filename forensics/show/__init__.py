"""HAProxy's own `show` commands, answered by a core: one module a command, in the shape of HAProxy's CLI."""
