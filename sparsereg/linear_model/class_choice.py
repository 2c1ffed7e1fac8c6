"""What classifiers share whose inverse strength is chosen by folds: `Cs`, `l1_ratios`, scores by a scorer."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.utils.metadata_routing import UNUSED, MetadataRouter, MethodMapping, process_routing

from sparsereg.data.validation import FINITE, MOST_POINTS, check_choice, check_number, check_vector
from sparsereg.linear_model.path_choice import PathChoice
from sparsereg.selection.measures import scorer_of
from sparsereg.selection.results import CrossValidation

__all__ = ["ClassifierChoice"]

Vector = NDArray[np.float64]
AS_SCIKIT_LEARN = 10  # strengths


class ClassifierChoice(PathChoice):
    """As `PathChoice`, with parameters `Cs` and `l1_ratios` in place of `alphas` and `l1_ratio`."""

    # It is the scorer that may ask for weights.
    __metadata_request__score: ClassVar[dict[str, Any]] = {"sample_weight": UNUSED}

    def _strengths(self, ratios: list[float]) -> Vector | None:
        """The inverse strengths; None where they are found on the way."""
        Cs = self.Cs
        if isinstance(Cs, str):
            check_choice("Cs", Cs, ("auto",), "a number of strengths, or the strengths")
            if min(ratios) > 0.0:
                return None
            Cs = AS_SCIKIT_LEARN
        if np.ndim(Cs) == 0:
            return np.logspace(-4, 4, check_number("Cs", Cs, low=1, high=MOST_POINTS, integer=True))
        if not np.size(Cs):
            raise ValueError(f"Cs={Cs!r}: expected a number of strengths, 'auto', or one or more positive numbers.")
        Cs = check_vector("Cs", Cs, np.shape(Cs)[0], of="points")
        for i, C in enumerate(Cs.tolist()):
            check_number(f"Cs[{i}]", C, low=0, open_low=True, high=FINITE)
        return Cs

    @property
    def _given_ratios(self) -> bool:
        if isinstance(self.l1_ratios, str):
            check_choice("l1_ratios", self.l1_ratios, ("auto",), "numbers in [0, 1]")
            return False
        return self.l1_ratios is not None

    def _default_ratios(self) -> Any:
        """The `l1_ratios`; where none are given the lasso for strengths found on the way, else ridge."""
        if self._given_ratios:
            return self.l1_ratios
        return (1.0,) if self.l1_ratios is not None and isinstance(self.Cs, str) else (0.0,)

    def _set_inverse_strengths(self, validation: CrossValidation, total: float) -> None:
        """Set the choice and what it was made from, where `C = 1 / (alpha total)`."""
        self.validation_, self.cv_results_ = validation, validation.results
        self.C_: Any = 1.0 / (validation.alpha * total)
        self.l1_ratio_: Any = validation.l1_ratio
        alphas, losses = self._arrays(validation)
        Cs = 1.0 / (alphas * total)
        self.Cs_ = Cs[0] if (Cs == Cs[0]).all() else Cs
        self.scores_: Any = -np.moveaxis(losses, 2, 0)
        self.l1_ratios_ = np.array([path.l1_ratio for path in validation.paths])

    def score(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> float:
        """The score by `scoring`, or the accuracy.

        Parameters
        ----------
        X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)
        y : array of shape (n,)
            Labels.
        sample_weight : array of shape (n,), optional
        **params
            Metadata for the scorer, with `sklearn.set_config(enable_metadata_routing=True)`.

        Returns
        -------
        float
        """
        given = params if sample_weight is None else params | {"sample_weight": sample_weight}
        if params and not get_config()["enable_metadata_routing"]:
            raise ValueError(
                f"{', '.join(params)}: metadata for the scorer is only supported if enable_metadata_routing=True;"
                " call sklearn.set_config(enable_metadata_routing=True) first."
            )
        if get_config()["enable_metadata_routing"]:
            given = process_routing(self, "score", **given).scorer.score
        return float(self._scorer()(self, X, y, **given))

    def get_metadata_routing(self) -> MetadataRouter:
        """The routing of metadata to the splitter and the scorer.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
        """
        mapping = MethodMapping().add(caller="fit", callee="score").add(caller="score", callee="score")
        return super().get_metadata_routing().add(scorer=self._scorer(), method_mapping=mapping)

    def _scorer(self) -> Any:
        return scorer_of("accuracy" if self.scoring is None else self.scoring)
