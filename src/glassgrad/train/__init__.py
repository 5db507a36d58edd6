"""Training for real: the Trainer, its history, and what is done along the way.

>>> from glassgrad.train import EarlyStop, Trainer
"""

from .callbacks import CSV, Callback, EarlyStop, KeepBest, TensorBoard
from .finder import RateTest
from .history import History
from .metrics import accuracy
from .state import seed_all
from .trainer import NotFiniteLoss, Trainer

__all__ = [
    "CSV", "Callback", "EarlyStop", "History", "KeepBest", "NotFiniteLoss", "RateTest", "TensorBoard", "Trainer",
    "accuracy", "seed_all",
]  # fmt: skip
