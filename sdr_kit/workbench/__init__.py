"""The panel: the only rooms that import ipywidgets, anywidget and itables."""

from sdr_kit.workbench.panel import Workbench

__all__ = ["Workbench"]
