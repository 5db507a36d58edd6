"""Engines: they run a recorded Graph. `interpret` is the reference, `native` the fast one."""
