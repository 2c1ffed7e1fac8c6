"""`Sample`: rows with targets, as a report reads them in blocks. Knows paths and losses, no solvers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.data.design import as_design
from sparsereg.data.validation import check_target, check_weights
from sparsereg.losses import as_loss

if TYPE_CHECKING:
    from sparsereg.losses import Loss
    from sparsereg.results import PathResult

__all__ = ["FoldSample", "Sample", "loss_of"]

Vector = NDArray[np.float64]

# Numbers in the table of predictors that is held at a time.
_BLOCK = 1 << 22


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows with targets.

    Attributes
    ----------
    X : scipy.sparse.csr_array or ndarray, (n, p)
    y : float64 array of shape (n,)
        The targets of the described output.
    targets : float64 array of shape (n, K)
        Those of all outputs.
    weight : float64 array of shape (n,), or None
    """

    X: Any
    y: Vector
    weight: Vector | None
    targets: Vector

    @classmethod
    def of(cls, name: str, X: Any, y: Any, weight: Any, path: PathResult, output: int) -> Sample:
        """Check rows for a path. `name` is the argument that they came in, such as ``X_val``."""
        design = as_design(X, name)
        if design.n_features != path.n_features:
            raise ValueError(f"{name} has {design.n_features} columns; the path was fitted on {path.n_features}.")
        if y is None:
            raise ValueError(f"{name} needs its targets; pass them in y{name[1:]}.")
        columns = [check_target(column, design.n_rows) for column in _targets_of(path, y, f"y{name[1:]}")]
        return cls(
            sp.csr_array(X) if sp.issparse(X) else np.asarray(X, dtype=np.float64),
            columns[output],
            check_weights(weight, design.n_rows),
            np.stack(columns, axis=1),
        )

    @property
    def n_rows(self) -> int:
        return int(self.y.size)

    @property
    def n_entries(self) -> int:
        return int(self.X.nnz if sp.issparse(self.X) else np.count_nonzero(self.X))

    def predictors(self, path: PathResult, points: Sequence[int], output: int) -> Iterator[tuple[slice, Vector]]:
        """Blocks of rows, and their linear predictors (m, len(points)) at some points of the path."""
        coefs = path.outputs[output].tocsc()[:, list(points)]
        intercepts = path.intercepts.reshape(path.alphas.size, -1)[list(points), output]
        size = max(1, _BLOCK // max(len(points), 1))
        for begin in range(0, self.n_rows, size):
            rows = slice(begin, min(begin + size, self.n_rows))
            product = self.X[rows] @ coefs
            yield rows, (product.toarray() if sp.issparse(product) else product) + intercepts

    def all_predictors(self, path: PathResult, points: Sequence[int]) -> Iterator[tuple[slice, Vector]]:
        """Blocks of rows, and the predictors (K, m, len(points)) of all outputs."""
        outputs = [self.predictors(path, points, output) for output in range(len(path.outputs))]
        for parts in zip(*outputs, strict=True):
            yield parts[0][0], np.stack([z for _, z in parts])

    def weights_in(self, rows: slice) -> Vector | None:
        """Weights of some rows."""
        return None if self.weight is None else self.weight[rows]


@dataclass(frozen=True, eq=False)
class FoldSample(Sample):
    """All rows in the order of their folds, each predicted by the path of the fold that held it out.

    Attributes
    ----------
    order : int array of shape (n,)
        The row of X of each row; y and weight are in this order already.
    ends : tuple of int
        Where each fold ends in it.
    paths : tuple of PathResult
        Of the folds; at points beyond the end of one its last point counts.
    """

    order: NDArray[np.int64]
    ends: tuple[int, ...]
    paths: tuple[PathResult, ...]

    @classmethod
    def of_folds(cls, train: Sample, held: Sequence[NDArray[np.int64]], paths: Sequence[PathResult]) -> FoldSample:
        """From the rows of the fit, and the rows that each fold held out."""
        order = np.concatenate(list(held))
        weight = None if train.weight is None else train.weight[order]
        ends = tuple(np.cumsum([rows.size for rows in held]).tolist())
        return cls(train.X, train.y[order], weight, train.targets[order], order, ends, tuple(paths))

    def predictors(
        self,
        path: PathResult,  # noqa: ARG002
        points: Sequence[int],
        output: int,
    ) -> Iterator[tuple[slice, Vector]]:
        """As of a sample, by the paths of the folds; `path` is not used."""
        begin = 0
        for end, own in zip(self.ends, self.paths, strict=True):
            part = Sample(self.X[self.order[begin:end]], self.y[begin:end], None, self.targets[begin:end])
            last = own.alphas.size - 1
            for rows, z in part.predictors(own, [min(k, last) for k in points], output):
                yield slice(begin + rows.start, begin + rows.stop), z
            begin = end


def loss_of(path: PathResult) -> Loss:
    """The loss that a path was fitted with."""
    return as_loss(path.loss)


def _targets_of(path: PathResult, y: Any, name: str) -> list[Any]:
    """The targets of each output, as the loss has them: of two classes the second is the larger number, of more each
    has its own."""
    y, n_outputs = np.asarray(y), len(path.outputs)
    if path.loss == "multinomial":
        classes = np.arange(n_outputs) if path.classes is None else path.classes
        if y.ndim != 1 or not np.isin(y, classes).all():
            raise ValueError(f"{name} of shape {y.shape} must hold one of the classes {list(classes)[:10]} a row.")
        return [(y == label).astype(np.float64) for label in classes]
    if n_outputs > 1:
        if y.ndim != 2 or y.shape[1] != n_outputs:
            raise ValueError(f"{name} of shape {y.shape} must have {n_outputs} columns, one an output of the path.")
        return list(y.T)
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if path.classes is None or path.classes.size != 2:
        return [y]
    second = (y == path.classes[1]).astype(np.float64)
    return [2.0 * second - 1.0 if path.loss == "squared_hinge" else second]
