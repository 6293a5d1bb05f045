"""One volume and one model to one relevance map: LRP and its rivals, the relevance ledger.

The package is callable: `pellucid.explain(model, x)` is `pellucid.explain.api.explain(model, x)`, whichever of the two
was imported first.
"""

from __future__ import annotations

import inspect
import sys
from types import ModuleType
from typing import Any


class _CallableModule(ModuleType):
    """A module that stands for the function of the same name."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from pellucid.explain.api import explain

        return explain(*args, **kwargs)

    @property
    def __signature__(self) -> inspect.Signature:
        """The function's parameters, for `inspect` and whoever completes names."""
        from pellucid.explain.api import explain

        return inspect.signature(explain)

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        """The function's help, not the package's."""
        from pellucid.explain.api import explain

        return f"pellucid.explain{self.__signature__}\n\n{inspect.getdoc(explain)}"


sys.modules[__name__].__class__ = _CallableModule
