"""`CompactModel`: the surviving columns of a sparse model, as one JSON file that any language can read."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.block import Rare
from sparsereg.crosses.vocabulary import CROSS, quoted
from sparsereg.data.atomic_write import write_whole
from sparsereg.scorer import Scorer, load, real_number
from sparsereg.serving.compact_check import add_tests
from sparsereg.serving.compact_export import compact_data
from sparsereg.serving.compact_source import Source
from sparsereg.serving.compact_table import TableScorer
from sparsereg.serving.schema import check_schema, read_schema

__all__ = ["CompactModel", "load_compact"]


class CompactModel:
    """The columns of a fitted model that have weights, without those that have none.

    It predicts what the model predicts, from the columns of the table. `load_compact` and `from_model` make one.

    Attributes
    ----------
    data : dict
        The model as JSON values. ``docs/formats.md`` describes them.
    columns : list of str
        The columns that rows and tables need. Others are ignored.
    intercept : float, or list of these
        Of several outputs a list.
    scorer : Scorer
        What predicts rows.
    link : {"identity", "log", "logit", "softmax"}
        A prediction is the linear predictor, its exponential, its logistic function, which is the probability of the
        second of ``data["classes"]``, or the probabilities of all classes.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import CompactModel, FeatureCross, Lasso
    >>> from sklearn.pipeline import make_pipeline
    >>> X = np.array([[1, 7], [1, 8], [2, 7], [2, 8]] * 10)
    >>> y = 3.0 * (X[:, 0] == 1)
    >>> fitted = make_pipeline(FeatureCross(crosses=[(0, 1)]), Lasso(alpha=0.1)).fit(X, y)
    >>> compact = CompactModel.from_model(fitted)
    >>> round(compact.predict_one({"x0": 1, "x1": 7}), 3), [name for name, _ in compact.weights()]
    (2.8, ['x0=1'])
    """

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.data: dict[str, Any] = scorer.data
        self.columns = scorer.columns
        self.intercept = scorer.data["intercept"]
        self.link = scorer.link

    @classmethod
    def from_model(cls, model: Any, k: int | None = None, *, offset: Mapping[str, Any] | None = None) -> Self:
        """Keep the columns of a model that have weights.

        Parameters
        ----------
        model : Model, path of a model file, fitted Pipeline, or fitted linear estimator
            A pipeline has one step before the estimator: a `FeatureCross`, or a ColumnTransformer of these,
            StandardScaler, and columns that pass through.
        k : int, optional
            The point of the path of a saved model, -1 for the last. None, the default, is the one that predicts.
        offset : mapping, optional
            The ``column`` of the table that is added to the predictors, with ``"log": True`` its logarithm, as of an
            exposure. Default: that of a saved model; an estimator that was fitted with one does not know its column.

        Raises
        ------
        ValueError
            If the model has hashed columns, other steps, or another link than identity, log, logit and softmax.
        IndexError
            If the path has no point `k`.
        """
        source = Source.of(model, k, offset)
        return cls(Scorer(add_tests(compact_data(source), source), verify=False))

    def predict_one(self, row: Mapping[str, Any]) -> Any:
        """The prediction for one row, a mapping of columns to values: a float, of several outputs a list.

        None and NaN are missing. A level that the model does not have has no effect.

        Raises
        ------
        ValueError
            If a column is absent or of another type than in fit, or a number that passes through is missing.
        """
        return self.scorer.predict_one(row)

    def explain_one(self, row: Mapping[str, Any], output: int = 0) -> list[tuple[str, float]]:
        """What the columns of the model add to the linear predictor of one row.

        Parameters
        ----------
        row : mapping of str to value
        output : int, default 0
            The class or target, where there are several.

        Returns
        -------
        list of (name, weight)
            Those that the row has, in the order of the columns; of a number the weight times its value. Their sum and
            `intercept` are the linear predictor.

        Raises
        ------
        ValueError
            As `predict_one`.
        """
        self.predict_one(row)  # checks the row
        positions = self.scorer.positions(row)
        parts: list[tuple[str, float]] = []
        terms = iter(self.scorer.terms)
        for spec in self.data["terms"]:
            if "fields" in spec:
                term = next(terms)
            if spec.get("output", 0) != output:
                continue
            if "fields" not in spec:
                name = spec["number"]
                parts.append((name, spec["weight"] * real_number(row[name], name, spec)))
                continue
            keys = term.row_keys(positions)
            own = [key for key in keys if key in term.table and key not in term.pooled]
            parts += [(self._name(spec, key), term.table[key]) for key in own]
            if not term.pooled.isdisjoint(keys):
                parts.append((self._pooled_name(spec), term.pooled_weight))
        return parts

    def weights(self, output: int = 0) -> list[tuple[str, float]]:
        """The name and weight of each column, in their order; names are those of `FeatureCross.feature_names`.

        Of several outputs, those of one."""
        found: list[tuple[str, float]] = []
        for spec in self.data["terms"]:
            if spec.get("output", 0) != output:
                continue
            if "fields" not in spec:
                found.append((spec["number"], spec["weight"]))
                continue
            found += zip((self._name(spec, key) for key in spec["keys"]), spec["weights"], strict=True)
            if "pooled" in spec:
                found.append((self._pooled_name(spec), spec["pooled"]["weight"]))
        return found

    def predict(self, table: Any) -> NDArray[np.float64]:
        """Predictions for the rows of a table.

        Parameters
        ----------
        table : DataFrame of pandas, polars or Arrow, or array-like of shape (n, p)
            With the columns `columns`; those of an array are named ``x0``, ``x1``, ...

        Returns
        -------
        float64 array of shape (n,), or (n, K) of several outputs

        Raises
        ------
        ValueError
            If a column is absent or of another type than in fit, or a number that passes through is missing.
        """
        return self._table_scorer.predict(table)

    def to_json(self) -> str:
        """The model as JSON text, a line for each field, term and test row."""
        parts = []
        for name, value in self.data.items():
            if name in ("fields", "terms", "tests"):
                lines = ",\n".join(f"  {_json(item)}" for item in value)
                text = f"[\n{lines}\n ]" if lines else "[]"
            else:
                text = _json(value)
            parts.append(f" {_json(name)}: {text}")
        return "{\n" + ",\n".join(parts) + "\n}\n"

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the model as JSON, whole or not at all.

        Raises
        ------
        ValueError
            If the folder does not exist.
        OSError
            If the file cannot be written.
        """
        with write_whole(file) as out:
            out.write(self.to_json().encode("ascii"))

    @property
    def n_outputs(self) -> int:
        """Classes or targets that are predicted side by side; 1 for two classes."""
        return len(self.scorer.intercepts)

    def _repr_html_(self) -> str:
        weights = sorted(self.weights(), key=lambda pair: -abs(pair[1]))[:20]
        rows = "".join(f"<tr><td>{html.escape(name)}</td><td>{weight:.4g}</td></tr>" for name, weight in weights)
        return f"<p>{html.escape(repr(self))}</p><table>{rows}</table>"

    def __repr__(self) -> str:
        n_weights = sum(
            len(spec["keys"]) + ("pooled" in spec) if "fields" in spec else 1 for spec in self.data["terms"]
        )
        outputs = f", {self.n_outputs} outputs" if self.n_outputs > 1 else ""
        columns = ", ".join(self.columns) or "no table"
        return f"<CompactModel: {n_weights:,} columns of {columns}; link {self.link}{outputs}>"

    @cached_property
    def _table_scorer(self) -> TableScorer:
        return TableScorer(self.scorer)

    def _name(self, spec: Mapping[str, Any], key: Any) -> str:
        fields = [self._table_scorer.levels[i] for i in spec["fields"]]
        positions = list(key) if isinstance(key, (list, tuple)) else []
        if not positions:
            for levels in reversed(fields):
                key, position = divmod(key, len(levels))
                positions.insert(0, position)
        pairs = zip(fields, positions, strict=True)
        return CROSS.join(f"{quoted(levels.field, '=')}={levels.label(position)}" for levels, position in pairs)

    def _pooled_name(self, spec: Mapping[str, Any]) -> str:
        words = (quoted(self._table_scorer.levels[i].field, "=") for i in spec["fields"])
        return f"{CROSS.join(words)}={Rare.RARE.value}"


def load_compact(file: str | os.PathLike[str], verify: bool = True) -> CompactModel:
    """Read a compact model. Nothing in the file is executed.

    Parameters
    ----------
    file : str or path
    verify : bool, default=True
        Whether to predict the test rows in the file and compare. True, as it takes a millisecond.

    Returns
    -------
    CompactModel

    Raises
    ------
    ValueError
        If the file is not a compact model, is damaged, was written in a later format, or its test rows are not
        predicted as the file says.
    OSError
        If there is no such file, or it cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from sparsereg import CompactModel, Lasso, load_compact
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     CompactModel.from_model(Lasso(0.1).fit([[0.0], [1.0], [2.0]], [0, 1, 2])).save(f"{folder}/model.json")
    ...     model = load_compact(f"{folder}/model.json")
    >>> model.weights()
    [('x0', 0.85)]
    """
    scorer = load(file, verify)
    try:
        check_schema(scorer.data, read_schema("compact"))
    except ValueError as error:
        raise ValueError(f"{os.fspath(file)} is a damaged compact model: {error}") from error
    return CompactModel(scorer)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
