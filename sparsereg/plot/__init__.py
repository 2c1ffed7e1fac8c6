"""Displays: pictures of paths, strengths, certificates and weights with matplotlib, as scikit-learn's displays.

A display holds what it draws; `plot` draws it and returns the display, whose artists have names that end in ``_``;
`frame` gives the data. matplotlib is loaded by `plot`: ``pip install "sparsereg[plot]"``.
"""

from __future__ import annotations

from sparsereg.plot.blocks import BlockSurvivalDisplay, ColumnsDisplay
from sparsereg.plot.calibration import CalibrationByStrengthDisplay
from sparsereg.plot.certificate import CertificateDisplay
from sparsereg.plot.comparison import ComparisonDisplay
from sparsereg.plot.geometry import PenaltyGeometryDisplay
from sparsereg.plot.histograms import WeightHistogramDisplay
from sparsereg.plot.path import RegularizationPathDisplay
from sparsereg.plot.path_plot import plot_path
from sparsereg.plot.strength import StrengthDisplay
from sparsereg.plot.weight_map import WeightMapDisplay

__all__ = [
    "BlockSurvivalDisplay",
    "CalibrationByStrengthDisplay",
    "CertificateDisplay",
    "ColumnsDisplay",
    "ComparisonDisplay",
    "PenaltyGeometryDisplay",
    "RegularizationPathDisplay",
    "StrengthDisplay",
    "WeightHistogramDisplay",
    "WeightMapDisplay",
    "plot_path",
]
