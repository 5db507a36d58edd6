"""glassgrad: a deep-learning engine with glass walls."""

from .functions import *  # noqa: F403
