"""``python -m glassgrad``: the same as the command ``glassgrad``."""

from .cli import app

app(prog_name="glassgrad")
