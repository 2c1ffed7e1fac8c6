"""A fitted cross and path in one `.npz`, written atomically and read without executing anything.

The file is a zip of plain arrays without pickles: a header (JSON text), the arrays of the path, and those of
`FeatureCross.to_arrays`.
"""

from __future__ import annotations

import html
import json
import os
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.crosses.feature_cross import FeatureCross
from sparsereg.crosses.table import Table
from sparsereg.data.atomic_write import write_whole
from sparsereg.data.validation import check_number
from sparsereg.losses import as_loss
from sparsereg.report.sources import check_cross
from sparsereg.results import PathResult
from sparsereg.serving.archive import read_arrays
from sparsereg.serving.estimators import as_path

__all__ = ["Model", "load_model", "offset_from", "save_model"]

FORMAT = "sparsereg model"
VERSION = 1
_ZIP_MAGIC = b"PK\x03\x04"

_PATH_NUMBERS = ("l1_ratio", "gap_scale", "tol")
_PATH_ARRAYS = {
    "alphas": np.float64,
    "intercepts": np.float64,
    "dual_gaps": np.float64,
    "n_iters": np.int64,
}
_PATH_OPTIONAL = ("seconds", "deviance_explained", "gradient_norms")  # float64; in the file unless None


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A fitted path and the cross that encodes its columns.

    Attributes
    ----------
    cross : FeatureCross or None
        Without one, `predict` takes the encoded columns.
    path : PathResult
    meta : dict
        The further arguments of `save_model`. `predict` reads three of them: ``point``, the point that predicts,
        ``log_target``, whether the path was fitted on the logarithm of the target, and ``offset``, a dict with the
        ``column`` that is added to the predictors, or with ``"log": True`` its logarithm, as of an exposure.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import FeatureCross, Model, regularization_path
    >>> table = np.array([["a"], ["b"], ["a"], ["b"]])
    >>> cross = FeatureCross()
    >>> model = Model(cross, regularization_path(cross.fit_transform(table), [0.0, 1.0, 0.0, 1.0], alphas=5))
    >>> model.predict(table).round(1)
    array([0., 1., 0., 1.])
    """

    cross: FeatureCross | None
    path: PathResult
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def point(self) -> int:
        """The point of the path that predicts by default; the last one if `save_model` was given none."""
        return int(self.meta.get("point", self.path.alphas.size - 1))

    def __repr__(self) -> str:
        target = f" of {self.meta['target']}" if "target" in self.meta else ""
        kept, n = self.path.n_columns(self.point), self.path.n_features
        fields = "no cross" if self.cross is None else f"{len(self.cross.blocks_)} fields and crosses"
        return f"<Model{target}: point {self.point} of {self.path.alphas.size}, {kept:,} of {n:,} columns, {fields}>"

    def _repr_html_(self) -> str:
        """For notebooks: the summary, and the fitted path."""
        return f"<p>{html.escape(repr(self))}</p>{self.path._repr_html_()}"

    def predict(self, table: Any, k: int | None = None) -> NDArray[Any]:
        """Predictions for the rows of a table.

        Parameters
        ----------
        table : DataFrame of pandas, polars or arrow, or array-like of shape (n, p)
            With the columns that the cross was fitted on; without a cross, a sparse or dense matrix.
        k : int, optional
            A point of the path, -1 for the last. None, the default, is `point`.

        Returns
        -------
        array of shape (n,)
            Labels, where the path has classes. Else numbers in the units of the target, such as probabilities or rates;
            if its logarithm was fitted, the exponential of the prediction, which estimates the median and not the mean.

        Raises
        ------
        ValueError
            If `k` is not a point of the path, or the table lacks a column.
        """
        z = self.predictors(table, k)
        if self.path.classes is not None:
            return self.path.labels(z)
        return np.exp(z) if self.meta.get("log_target") else self.path.means(z)

    def predict_proba(self, table: Any, k: int | None = None) -> NDArray[np.float64]:
        """Probabilities of the classes, for the rows of a table.

        Parameters
        ----------
        table, k
            As in `predict`.

        Returns
        -------
        float64 array of shape (n, n_classes)
            Columns in the order of `path.classes`.

        Raises
        ------
        ValueError
            If the model has no classes, or a loss that gives no probabilities; and as `predict`.
        """
        means = self.path.means(self.predictors(table, k))
        if self.path.classes is None or self.path.link not in ("logit", "softmax"):
            raise ValueError(f"a model with loss={self.path.loss!r} and no classes, or no link, has no probabilities.")
        return means

    def offset_of(self, table: Any) -> NDArray[np.float64] | None:
        """What is added to the predictors of the rows of a table (n,), from the column that ``meta["offset"]`` names:
        its numbers, or their logarithms where it is an exposure. None where the model has none.

        Raises
        ------
        ValueError
            If the table has no such column, or it holds no finite numbers, of an exposure positive ones.
        """
        spec = self.meta.get("offset")
        if spec is None:
            return None
        read = Table(table, min_rows=0)
        if spec["column"] not in read.names:
            raise ValueError(f"the table has no column {spec['column']!r}, the model's offset; add it.")
        values = read.column(read.names.index(spec["column"])).as_finite()
        return offset_from(values, spec["column"], bool(spec.get("log")))

    def predictors(self, table: Any, k: int | None = None) -> NDArray[np.float64]:
        """Linear predictors for the rows of a table, of shape (n,), or (n, n_outputs); arguments as in `predict`."""
        n_points = self.path.alphas.size
        k = self.point if k is None else k
        check_number("k", k, low=-n_points, high=n_points - 1, integer=True)
        X = table if self.cross is None else self.cross.transform(table)
        z, offset = np.asarray(self.path.predict(X, int(k)), dtype=np.float64), self.offset_of(table)
        return z if offset is None else z + (offset if z.ndim == 1 else offset[:, None])


def offset_from(values: NDArray[np.float64], column: str, log: bool) -> NDArray[np.float64]:
    """The offsets (n,) that the numbers of a column stand for, of an exposure their logarithms."""
    if not log:
        return values
    if values.size and not values.min() > 0.0:
        raise ValueError(f"column {column!r} holds {values.min():g}; an exposure must be positive.")
    return np.log(values)


def save_model(file: str | os.PathLike[str], cross: Any, path: Any = None, **meta: Any) -> None:
    """Write a model to one file, atomically.

    Parameters
    ----------
    file : str or path
        Used as given; ``.npz`` is customary. An older file of that name is replaced once the new one is complete.
    cross : FeatureCross or None
        Fitted. A Pipeline of a `FeatureCross` and a linear model may take its place, without `path`.
    path : PathResult, CrossValidation, a fitted linear model, or a Pipeline of a FeatureCross and a linear model
    **meta
        Anything that JSON can represent. ``point=k`` is the point that predicts, -1 the last; without it, the
        one that a cross-validation chose, otherwise the last.

    Raises
    ------
    ValueError
        If cross and path differ in their columns, coefficients are not finite, or `meta` cannot be written as JSON.
    OSError
        If the file cannot be written.

    Warns
    -----
    UserWarning
        If the path has several points and none was chosen: the last has the weakest penalty and rarely predicts best.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from sparsereg import load_model, regularization_path, save_model
    >>> from sparsereg.crosses.feature_cross import FeatureCross
    >>> table = np.array([[1, 2], [3, 4], [3, 2]])
    >>> cross = FeatureCross(crosses=[(0, 1)])
    >>> path = regularization_path(cross.fit_transform(table), [1.0, 2.0, 4.0], alphas=5)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(pathlib.Path(folder) / "model.npz", cross, path, point=3)
    ...     model = load_model(pathlib.Path(folder) / "model.npz")
    >>> model.predict(table).shape
    (3,)
    """
    cross, path, point = as_path(cross, path)
    if point is not None:
        meta = {"point": point} | meta
    if isinstance(k := meta.get("point"), (int, np.integer)) and not isinstance(k, bool):
        meta["point"] = int(k) + (path.alphas.size if k < 0 else 0)
    _check_fit(cross, path, meta)
    if "point" not in meta and path.alphas.size > 1:
        warnings.warn(
            f"no point=k was given: the last of the path's {path.alphas.size} points, the weakest penalty, predicts.",
            UserWarning,
            stacklevel=2,
        )
    header = {
        "format": FORMAT,
        "format_version": VERSION,
        "shape": [path.n_features, path.alphas.size],
        "n_outputs": len(path.outputs),
        "has_cross": cross is not None,
        "loss": path.loss,
        "link": path.link,
        **{name: _finite_or_none(getattr(path, name)) for name in _PATH_NUMBERS},
        "meta": meta,
    }
    try:
        text = json.dumps(header, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"meta={meta!r} must consist of what JSON can represent: {error}.") from error
    arrays: dict[str, NDArray[Any]] = {"header": np.array(text)}
    arrays |= {f"path/{name}": np.asarray(getattr(path, name), dtype=kind) for name, kind in _PATH_ARRAYS.items()}
    optional = {name: getattr(path, name) for name in _PATH_OPTIONAL} | {"classes": _plain_labels(path.classes)}
    arrays |= {f"path/{name}": part for name, part in optional.items() if part is not None}
    coefs = sp.hstack([output.tocsc() for output in path.outputs], format="csc")
    arrays |= {"path/data": coefs.data, "path/indices": coefs.indices, "path/indptr": coefs.indptr}
    if cross is not None:
        arrays |= {f"cross/{name}": array for name, array in cross.to_arrays().items()}
    assert not any(array.dtype.hasobject for array in arrays.values())
    with write_whole(file) as out:
        np.savez_compressed(out, **arrays)  # type: ignore[arg-type]


def load_model(file: str | os.PathLike[str]) -> Model:
    """Read a model that `save_model` wrote. Nothing in the file is executed.

    Parameters
    ----------
    file : str or path

    Returns
    -------
    Model

    Raises
    ------
    ValueError
        If the file is not a model, is damaged, or was written in a later format.
    OSError
        If there is no such file, or it cannot be read.

    Examples
    --------
    >>> import tempfile, numpy as np, pandas as pd
    >>> from sparsereg import FeatureCross, load_model, regularization_path, save_model
    >>> shops, cross = pd.DataFrame({"shop": ["a", "b", "a", "b"]}), FeatureCross()
    >>> path = regularization_path(cross.fit_transform(shops), [0.0, 1.0, 0.0, 1.0], alphas=5)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(f"{folder}/model.npz", cross, path, point=4)
    ...     model = load_model(f"{folder}/model.npz")
    >>> model.predict(shops).round(1).tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    name = os.fspath(file)
    with open(file, "rb") as source:
        start = source.read(len(_ZIP_MAGIC))
        content = start + source.read() if start == _ZIP_MAGIC else b""
    # zipfile, zlib and NumPy raise a dozen kinds of errors on damaged bytes.
    try:
        arrays = read_arrays(content)
    except Exception as error:
        hint = " A compact model is read by load_compact and `sparsereg score`." if start[:1] == b"{" else ""
        raise ValueError(f"{name} is not a sparsereg model, or is damaged: {_one_line(error)}{hint}") from error
    header = _read_header(name, arrays)
    try:
        return _assemble(header, arrays)
    except Exception as error:
        raise ValueError(f"{name} is a damaged sparsereg model: {_one_line(error)}") from error


def _check_fit(cross: FeatureCross | None, path: PathResult, meta: Mapping[str, Any]) -> None:
    n_points = path.alphas.size
    check_cross(cross, path.n_features)
    if not all(np.isfinite(part).all() for part in (path.intercepts, *(one.tocsc().data for one in path.outputs))):
        raise ValueError("the coefficients are not finite.")
    point = meta.get("point", 0)
    if isinstance(point, bool) or not isinstance(point, int) or not 0 <= point < n_points:
        raise ValueError(f"point={point!r} is not one of the path's {n_points} points, counted from 0.")


def _read_header(name: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    header: Any = None
    with suppress(KeyError, ValueError, RecursionError):
        header = json.loads(str(arrays["header"]))
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError(f"{name} is not a sparsereg model: it has no header of one.")
    if header.get("format_version") != VERSION:
        raise ValueError(
            f"{name} is a sparsereg model of format version {header.get('format_version')!r}; this sparsereg reads "
            f"version {VERSION}. Upgrade sparsereg, or fit and save the model again."
        )
    return header


def _assemble(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Model:
    width, n_points = header["shape"]
    n_outputs = header.get("n_outputs", 1)
    names = [*_PATH_ARRAYS, *(name for name in _PATH_OPTIONAL if f"path/{name}" in arrays)]
    parts: dict[str, Any] = {name: arrays[f"path/{name}"] for name in names}
    for name, part in parts.items():
        shape = (n_points, n_outputs) if name == "intercepts" and n_outputs > 1 else (n_points,)
        if part.dtype != _PATH_ARRAYS.get(name, np.float64) or part.shape != shape:
            raise ValueError(f"{name} has shape {part.shape} and type {part.dtype}.")
    triple = tuple(arrays[f"path/{name}"] for name in ("data", "indices", "indptr"))
    if triple[0].dtype not in (np.float32, np.float64) or any(part.dtype.kind != "i" for part in triple[1:]):
        raise ValueError("the coefficients have a wrong type.")
    coefs = sp.csc_array(triple, shape=(width, n_points * n_outputs))
    coefs.check_format(full_check=True)
    if not coefs.has_canonical_format:
        raise ValueError("the indices of the coefficients are not sorted.")
    parts |= {name: np.nan if header[name] is None else float(header[name]) for name in _PATH_NUMBERS}
    parts |= {name: str(header[name]) for name in ("loss", "link") if name in header}
    outputs = tuple(coefs[:, i * n_points : (i + 1) * n_points] for i in range(n_outputs))
    path = PathResult(coefs=outputs, classes=_read_classes(arrays.get("path/classes"), n_outputs), **parts)
    if path.loss != "multinomial":
        as_loss(path.loss)  # a ValueError for one that this version does not know
    cross = None
    if header["has_cross"]:
        own = {name.removeprefix("cross/"): part for name, part in arrays.items() if name.startswith("cross/")}
        cross = FeatureCross.from_arrays(own)
    meta = dict(header["meta"])
    _check_fit(cross, path, meta)
    return Model(cross, path, meta)


def _read_classes(classes: NDArray[Any] | None, n_outputs: int) -> NDArray[Any] | None:
    if classes is not None and (classes.dtype.kind not in "Ubiuf" or classes.shape != (max(n_outputs, 2),)):
        raise ValueError(f"classes has shape {classes.shape} and type {classes.dtype}.")
    return classes


def _plain_labels(classes: NDArray[Any] | None) -> NDArray[Any] | None:
    """Labels as an array without pickles."""
    if classes is None or not classes.dtype.hasobject:
        return classes
    if not all(isinstance(label, str) for label in classes.tolist()):
        raise ValueError(f"classes={classes.tolist()!r}: a model file holds labels that are texts, or numbers.")
    return classes.astype(np.str_)


def _finite_or_none(value: float) -> float | None:
    """A number as JSON has it; None stands for NaN, where a number is unknown."""
    return float(value) if np.isfinite(value) else None


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__} {text}".rstrip() if isinstance(error, KeyError) or not text else text
