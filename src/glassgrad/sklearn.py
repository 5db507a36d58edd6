"""Networks as estimators of scikit-learn's: in its pipelines, searches and cross-validations.

>>> from glassgrad.sklearn import NetClassifier
>>> from sklearn.datasets import load_iris
>>> inputs, labels = load_iris(return_X_y=True)
>>> net = NetClassifier((16,), learning_rate=0.01, epochs=60, random_state=0).fit(inputs, labels)
>>> net.score(inputs, labels) > 0.9
True
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import functions as fn
from . import nn, optim
from .dispatch import no_grad
from .errors import ArgumentError, ShapeError
from .functions.rand import Generator, own_generator
from .tensor import Tensor
from .train import EarlyStop, Trainer
from .train.modes import evaluating
from .utils.data import DataLoader, TensorDataset
from .view import needed

needed("sklearn.base", "an estimator of scikit-learn's")

from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin  # noqa: E402
from sklearn.utils import check_random_state  # noqa: E402
from sklearn.utils.multiclass import check_classification_targets  # noqa: E402
from sklearn.utils.validation import check_is_fitted, validate_data  # noqa: E402

__all__ = ["NetClassifier", "NetRegressor"]

Array = np.ndarray[Any, Any]
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU, "tanh": nn.Tanh, "logistic": nn.Sigmoid, "gelu": nn.GELU, "silu": nn.SiLU, "identity": nn.Identity,
}  # fmt: skip
OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {"adam": optim.Adam, "adamw": optim.AdamW, "sgd": optim.SGD}
PAYS = 2000
"""Steps from which on compiling takes less time than it saves."""


class _Net(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What both kinds of estimator share."""

    module_: nn.Module
    """The trained network."""
    history_: list[dict[str, Any]]
    """A row for each epoch; see `glassgrad.train.History`."""
    n_iter_: int
    """Epochs that were trained."""

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        module: Callable[[int, int], nn.Module] | None = None,
        loss: Callable[[Any, Any], Tensor] | None = None,
        optimizer: str | Callable[..., optim.Optimizer] = "adam",
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        dropout: float = 0.0,
        batch_size: int | str = "auto",
        epochs: int = 200,
        tol: float = 1e-4,
        patience: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        random_state: Any = None,
        compile: bool | str = "auto",
        threads: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes, self.activation, self.module, self.loss = hidden_layer_sizes, activation, module, loss
        self.optimizer, self.learning_rate, self.weight_decay = optimizer, learning_rate, weight_decay
        self.dropout, self.batch_size, self.epochs, self.tol, self.patience = dropout, batch_size, epochs, tol, patience
        self.early_stopping, self.validation_fraction = early_stopping, validation_fraction
        self.random_state, self.compile, self.threads, self.verbose = random_state, compile, threads, verbose

    def _learn(self, inputs: Array, targets: Array, outputs: int, loss: Callable[[Any, Any], Tensor]) -> None:
        """Build a network and train it; in the dtype of the inputs."""
        random = check_random_state(self.random_state)
        kept, held = self._split(inputs, targets, random)
        own_generator(Generator().manual_seed(int(random.randint(2**31 - 1))))
        try:
            model = self._built(inputs.shape[1], outputs)
            if inputs.dtype == np.float64:
                model.double()
            size = min(200, len(kept)) if self.batch_size == "auto" else self.batch_size
            loader = DataLoader(kept, batch_size=size, shuffle=True)  # type: ignore[arg-type]  # refuses other words
            if self.compile not in (True, False, "auto"):
                raise ArgumentError("compile must be True, False or 'auto'", got=f"compile={self.compile!r}")
            compiled = len(loader) * self.epochs >= PAYS if self.compile == "auto" else bool(self.compile)
            stop = EarlyStop(self.patience, min_delta=self.tol, restore=self.early_stopping)
            trainer = Trainer(
                model, self.loss or loss, self._rule(model), compile=compiled, threads=self.threads, callbacks=[stop],
                progress=None if self.verbose else False,
            )  # fmt: skip
            history = trainer.fit(loader, held, epochs=self.epochs)
        finally:
            own_generator(None)
        if history.stopped == "Ctrl-C":  # a search over many fits should end, too
            raise KeyboardInterrupt
        self.module_, self.history_, self.n_iter_ = model, history.rows, len(history)

    def _split(self, inputs: Array, targets: Array, random: Any) -> tuple[TensorDataset, TensorDataset | None]:
        """What is learned from, and what is held out to tell when to stop."""
        if not self.early_stopping:
            return _pairs(inputs, targets), None
        from sklearn.model_selection import train_test_split

        classes = targets if targets.dtype.kind == "i" else None
        parts = train_test_split(
            inputs, targets, test_size=self.validation_fraction, random_state=random, stratify=classes
        )
        return _pairs(parts[0], parts[2]), _pairs(parts[1], parts[3])

    def _built(self, inputs: int, outputs: int) -> nn.Module:
        if self.module is not None:
            return self.module(inputs, outputs)
        if self.activation not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise ArgumentError(f"there is no activation {self.activation!r}", fix=f"use one of {known}")
        layers: list[nn.Module] = []
        width = inputs
        for size in np.atleast_1d(np.asarray(self.hidden_layer_sizes, dtype=object)).tolist():
            if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
                raise ArgumentError("hidden_layer_sizes must be positive integers", got=repr(self.hidden_layer_sizes))
            layers += [nn.Linear(width, int(size)), ACTIVATIONS[self.activation]()]
            if self.dropout:
                layers.append(nn.Dropout(self.dropout))
            width = int(size)
        return nn.Sequential(*layers, nn.Linear(width, outputs))

    def _rule(self, model: nn.Module) -> optim.Optimizer:
        make = OPTIMIZERS.get(self.optimizer, self.optimizer) if isinstance(self.optimizer, str) else self.optimizer
        if isinstance(make, str):
            known = ", ".join(OPTIMIZERS)
            raise ArgumentError(f"there is no optimizer {make!r}", fix=f"use one of {known}, or a class of optim")
        return make(model.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)

    def _said(self, inputs: Any) -> Tensor:
        """What the network says to inputs."""
        check_is_fitted(self)
        inputs = validate_data(self, inputs, dtype=(np.float64, np.float32), reset=False)
        given = fn.tensor(inputs.astype(next(self.module_.parameters()).dtype))
        with evaluating(self.module_), no_grad():
            return fn.cat([self.module_(part) for part in given.split(1024)])


class NetClassifier(ClassifierMixin, _Net):  # type: ignore[misc]
    """A classifier: a multi-layer perceptron, or any network, trained by cross-entropy.

    Args:
        hidden_layer_sizes: how wide the hidden layers are; () for none.
        activation: "relu", "tanh", "logistic", "gelu", "silu" or "identity".
        module: makes another network instead: (inputs, classes) -> a module from (n, inputs) to (n, classes) scores.
        loss: (scores, class numbers) -> a tensor of one entry, instead of the cross-entropy.
        optimizer: "adam", "adamw", "sgd", or a function of (parameters, lr=, weight_decay=).
        learning_rate, weight_decay: for that.
        dropout: the share of each hidden layer that is left out in training.
        batch_size: "auto" for 200, or all rows if there are fewer.
        epochs: at most so many.
        tol, patience: it stops when the loss has not fallen by more than tol for so many epochs.
        early_stopping: watch the loss of a held-out share instead, and keep the best weights.
        validation_fraction: that share.
        random_state: as everywhere in scikit-learn; glassgrad's own random numbers are left alone.
        compile: run compiled steps; "auto" where there are enough for that to pay.
        threads: for compiled steps.
        verbose: tell of each epoch.

    It computes in the dtype of the inputs: float32 is twice as fast. Inputs should be scaled (StandardScaler).

    Attributes after `fit`: ``classes_``, ``module_`` (the network), ``history_`` (a row for each epoch), ``n_iter_``,
    ``n_features_in_``.
    """

    def fit(self, X: Any, y: Any) -> NetClassifier:
        """Learn from rows of inputs and their labels. Raises ValueError for what cannot be learned from."""
        X, y = validate_data(self, X, y, dtype=(np.float64, np.float32))
        check_classification_targets(y)
        self.classes_, places = np.unique(y, return_inverse=True)
        self._learn(X, places.astype(np.int64), len(self.classes_), nn.functional.cross_entropy)
        return self

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, in the order of ``classes_``: (n, classes)."""
        scores = self._said(X)
        if scores.shape != (len(scores), len(self.classes_)):
            raise ShapeError(
                "the network gives other scores than one for each class",
                got=f"shape {tuple(scores.shape)}, {len(self.classes_)} classes",
            )
        chances: Array = scores.softmax(1).numpy()
        return chances

    def predict(self, X: Any) -> Array:
        """The most probable class of each row: (n,)."""
        chances = self.predict_proba(X)
        found: Array = self.classes_[chances.argmax(1)]
        return found


class NetRegressor(RegressorMixin, _Net):  # type: ignore[misc]
    """A regressor: a multi-layer perceptron, or any network, trained by the mean squared error.

    Args:
        module: makes another network: (inputs, targets) -> a module from (n, inputs) to (n, targets).
        loss: (predictions, targets), both (n, targets), -> a tensor of one entry, instead of the squared error.

    All else is as for `NetClassifier`. Targets may have several columns; they should be scaled, like the inputs.

    >>> from glassgrad.sklearn import NetRegressor
    >>> import numpy
    >>> inputs = numpy.linspace(-1, 1, 64).reshape(-1, 1)
    >>> NetRegressor(learning_rate=0.01, random_state=0).fit(inputs, inputs.ravel() ** 2).score(inputs, inputs**2) > 0.9
    True
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any) -> NetRegressor:
        """Learn from rows of inputs and their targets. Raises ValueError for what cannot be learned from."""
        X, y = validate_data(self, X, y, dtype=(np.float64, np.float32), multi_output=True, y_numeric=True)
        self._flat = y.ndim == 1
        columns = y.reshape(len(y), -1).astype(X.dtype)
        self._learn(X, columns, columns.shape[1], nn.functional.mse_loss)
        return self

    def predict(self, X: Any) -> Array:
        """The prediction of each row: (n,), or (n, targets) if several were learned."""
        said: Array = self._said(X).numpy()
        return said.reshape(-1) if self._flat else said


def _pairs(inputs: Array, targets: Array) -> TensorDataset:
    return TensorDataset(fn.tensor(inputs), fn.tensor(targets))
