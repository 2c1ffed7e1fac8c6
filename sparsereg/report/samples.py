"""`Sample`: rows with targets, as a report reads them in blocks. Knows paths and losses, no solvers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.data.design import as_design
from sparsereg.data.validation import check_outputs, check_target, check_vector, check_weights
from sparsereg.losses import as_loss
from sparsereg.losses.absent import finite_predictors

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
    offset : float64 array of shape (n, 1) or (n, K), or None
        What is added to the predictors.
    """

    X: Any
    y: Vector
    weight: Vector | None
    targets: Vector
    offset: Vector | None = field(default=None, kw_only=True)

    @classmethod
    def of(cls, name: str, X: Any, y: Any, weight: Any, path: PathResult, output: int, *, offset: Any = None) -> Sample:
        """Check rows for a path. `name` is the argument that they came in, such as ``X_val``."""
        design = as_design(X, name)
        if design.n_features != path.n_features:
            raise ValueError(f"{name} has {design.n_features} columns; the path was fitted on {path.n_features}.")
        if y is None:
            raise ValueError(f"{name} needs its targets; pass them in y{name[1:]}.")
        if offset is None and path.settings is not None and path.settings.get("has_offset"):
            raise ValueError(f"the path was fitted with an offset; pass that of {name} as offset{name[1:]}, or zeros.")
        columns = [check_target(column, design.n_rows) for column in _targets_of(path, y, f"y{name[1:]}")]
        return cls(
            sp.csr_array(X) if sp.issparse(X) else np.asarray(X, dtype=np.float64),
            columns[output],
            check_weights(weight, design.n_rows),
            np.stack(columns, axis=1),
            offset=None if offset is None else _checked_offset(offset, design.n_rows, f"offset{name[1:]}"),
        )

    @classmethod
    def without_targets(cls, X: Any, weight: Any) -> Sample:
        """Rows of which only X counts; their targets are zeros."""
        design = as_design(X)
        zeros = np.zeros(design.n_rows)
        X = sp.csr_array(X) if sp.issparse(X) else np.asarray(X, dtype=np.float64)
        return cls(X, zeros, check_weights(weight, design.n_rows), zeros[:, None])

    def of_output(self, output: int) -> Sample:
        """The same rows with the targets of one output."""
        offset = None if self.offset is None else self.offset[:, [min(output, self.offset.shape[1] - 1)]]
        targets = self.targets[:, [output]]
        return Sample(self.X, targets[:, 0], self.weight, targets, offset=offset)

    def offset_of(self, rows: slice, output: int) -> Vector:
        """The offsets (m, 1) of one output in some rows; 0 without."""
        if self.offset is None:
            return np.zeros((1, 1))
        return self.offset[rows][:, [min(output, self.offset.shape[1] - 1)]]

    def null_ends(self, null: Vector, rows: slice = slice(None)) -> Vector:
        """Predictors (K, m, 1) of the model without columns, whose intercepts are `null`, in some rows."""
        m = self.targets[rows].shape[0]
        return np.stack([np.broadcast_to(b0 + self.offset_of(rows, k), (m, 1)) for k, b0 in enumerate(null)])

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
            z = (product.toarray() if sp.issparse(product) else product) + intercepts
            z = z if self.offset is None else z + self.offset_of(rows, output)
            yield rows, finite_predictors(z[None])[0] if len(path.outputs) == 1 else z

    def all_predictors(self, path: PathResult, points: Sequence[int]) -> Iterator[tuple[slice, Vector]]:
        """Blocks of rows, and the predictors (K, m, len(points)) of all outputs."""
        outputs = [self.predictors(path, points, output) for output in range(len(path.outputs))]
        for parts in zip(*outputs, strict=True):
            yield parts[0][0], finite_predictors(np.stack([z for _, z in parts]))

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
        offset = None if train.offset is None else train.offset[order]
        ends = tuple(np.cumsum([rows.size for rows in held]).tolist())
        return cls(train.X, train.y[order], weight, train.targets[order], order, ends, tuple(paths), offset=offset)

    def predictors(
        self,
        path: PathResult,  # noqa: ARG002
        points: Sequence[int],
        output: int,
    ) -> Iterator[tuple[slice, Vector]]:
        """As of a sample, by the paths of the folds; `path` is not used."""
        begin = 0
        for end, own in zip(self.ends, self.paths, strict=True):
            offset = None if self.offset is None else self.offset[begin:end]
            part = Sample(
                self.X[self.order[begin:end]], self.y[begin:end], None, self.targets[begin:end], offset=offset
            )
            last = own.alphas.size - 1
            for rows, z in part.predictors(own, [min(k, last) for k in points], output):
                yield slice(begin + rows.start, begin + rows.stop), z
            begin = end


def loss_of(path: PathResult) -> Loss:
    """The loss that a path was fitted with."""
    return as_loss(path.loss)


def _checked_offset(offset: Any, n_rows: int, name: str) -> Vector:
    """As (n, 1) or (n, K)."""
    if np.ndim(offset) == 2:
        return check_outputs(name, offset, n_rows)
    return check_vector(name, offset, n_rows)[:, None]


def _targets_of(path: PathResult, y: Any, name: str) -> list[Any]:
    """The targets of each output, as the loss has them: of two classes the second is the larger number (1 and -1 for
    squares and the squared hinge, otherwise 1 and 0), of more each has its own."""
    y, n_outputs = np.asarray(y), len(path.outputs)
    if path.loss == "multinomial":
        classes = np.arange(n_outputs) if path.classes is None else path.classes
        if y.ndim != 1 or not np.isin(y, classes).all():
            raise ValueError(f"{name} of shape {y.shape} must hold one of the classes {list(classes)[:10]} a row.")
        return [(y == label).astype(np.float64) for label in classes]
    if path.classes is not None and n_outputs > 1:  # squares on -1 and 1, one class against the others
        return [2.0 * (y == label) - 1.0 for label in path.classes]
    if n_outputs > 1:
        if y.ndim != 2 or y.shape[1] != n_outputs:
            raise ValueError(f"{name} of shape {y.shape} must have {n_outputs} columns, one an output of the path.")
        return list(y.T)
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if path.classes is None or path.classes.size != 2:
        return [y]
    second = (y == path.classes[1]).astype(np.float64)
    return [2.0 * second - 1.0 if path.loss in ("squared_hinge", "squared") else second]
