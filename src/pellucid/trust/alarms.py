"""Whether a map adds up: its sums beside the logit that it explains, and the alarms of a ledger that does not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.ground.errors import InputError

SIGN, BIAS, EPSILON, NETWORKS = "sign", "bias", "epsilon", "networks"
NONE = "none"
"""What a table says of a map that was checked and has no alarm; without a ledger nothing is said."""

ABSORBED = "absorbed_"
"""How the columns begin that say what the layers absorbed."""

_ABSORBERS = {BIAS: "the biases", EPSILON: "the stabiliser ε"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MapSums:
    """The sums of a map R over all voxels, and what the layers absorbed on the way to it, all in the map's unit.

    Parameters
    ----------
    logit
        The explained output L; of several networks their mean.
    positive, negative
        sum of max(R, 0), and of min(R, 0).
    absorbed
        Of each absorber (bias, epsilon, ...) the sum over the layers, signed; None if the method keeps no ledger.
    networks, alarmed_networks
        Of how many networks the map is the mean, and how many of their own maps have an alarm.
    """

    logit: float
    positive: float
    negative: float
    absorbed: Mapping[str, float] | None
    networks: int = 1
    alarmed_networks: int = 0

    @property
    def total(self) -> float:
        """The sum of R."""
        return self.positive + self.negative

    @property
    def gross(self) -> float:
        """The sum of |R|: all that is moved about, whatever is left of it in the end."""
        return self.positive - self.negative

    @property
    def gross_per_logit(self) -> float:
        """`sum |R| / |L|`; NaN for a logit of 0. A map of 45 shows 45 times what it explains; the rest cancels."""
        return self.gross / abs(self.logit) if self.logit != 0 else math.nan

    @property
    def alarms(self) -> tuple[str, ...] | None:
        """What is wrong with the ledger, by name; empty if nothing is, None if there is no ledger.

        With L the logit, R the map and `absorbed_l` what layer l took of the relevance:

        - sign: sign(sum R) != sign(L). The map as a whole speaks against the logit that it explains, or for nothing.
        - bias: |sum over l of absorbed_bias_l| > |L|. The biases took more than there was to share out.
        - epsilon, and any other absorber of the ledger: likewise.
        - networks: of a mean of several networks' maps, one or more have such an alarm by themselves.
        """
        if self.absorbed is None:
            return None
        own = [SIGN] * bool(np.sign(self.total) != np.sign(self.logit))
        own += [name for name, sum_of in self.absorbed.items() if abs(sum_of) > abs(self.logit)]
        return (*own, *[NETWORKS] * (self.networks > 1 and self.alarmed_networks > 0))

    @property
    def code(self) -> str | None:
        """The alarms as a cell of a table: `sign+bias`, `none`, or None where the method keeps no ledger."""
        return None if self.alarms is None else "+".join(self.alarms) or NONE

    def sentences(self) -> list[str]:
        """Say each alarm in words with its numbers; none if there is no alarm or no ledger."""
        said = []
        for alarm in self.alarms or ():
            if alarm == SIGN:
                said.append(f"the map sums to {self.total:+.3g}, but the logit is {self.logit:+.3g}: different signs")
            elif alarm == NETWORKS:
                said.append(f"{self.alarmed_networks} of the {self.networks} networks' own maps have an alarm")
            else:
                who, took = _ABSORBERS.get(alarm, alarm), (self.absorbed or {})[alarm]
                said.append(f"{who} absorbed {took:+.3g}, more than the logit of {self.logit:+.3g}")
        return said

    def columns(self) -> dict[str, float | str | None]:
        """Return the numbers and the alarm as columns of a table."""
        taken = {f"{ABSORBED}{name}": value for name, value in (self.absorbed or {}).items()}
        return {
            "logit": self.logit,
            "sum": self.total,
            "positive": self.positive,
            "negative": self.negative,
            "gross": self.gross,
            "gross_per_logit": self.gross_per_logit,
            **taken,
            "alarm": self.code,
        }


def map_sums(
    relevance: npt.ArrayLike,
    logit: float,
    ledger: Sequence[Mapping[str, object]],
    *,
    networks: int = 1,
    alarmed_networks: int = 0,
) -> MapSums:
    """Sum up a map and its ledger.

    Parameters
    ----------
    relevance
        The map R, of any shape.
    logit
        The explained output.
    ledger
        A row a layer, what it took in the columns `absorbed_NAME`; empty if the method keeps none.
    networks, alarmed_networks
        As in `MapSums`.

    Raises
    ------
    InputError
        A number is not finite.
    """
    R = np.asarray(relevance, dtype=np.float64)
    names = [name for name in ledger[0] if name.startswith(ABSORBED)] if ledger else []
    absorbed = {name.removeprefix(ABSORBED): math.fsum(float(str(row[name])) for row in ledger) for name in names}
    positive, negative = float(R.clip(min=0.0).sum()), float(R.clip(max=0.0).sum())
    if not np.isfinite([logit, positive, negative, *absorbed.values()]).all():
        raise InputError("relevance map", "it, its logit or its ledger is not finite", "Explain the scan again")
    return MapSums(
        logit=float(logit),
        positive=positive,
        negative=negative,
        absorbed=absorbed if ledger else None,
        networks=networks,
        alarmed_networks=alarmed_networks,
    )


def gross_words(per_logit: float) -> str:
    """Say the gross relevance of a map over its |logit|: `gross relevance 45 times |logit|`.

    >>> gross_words(357.4), gross_words(2.345), gross_words(float("nan"))
    ('gross relevance 357 times |logit|', 'gross relevance 2.3 times |logit|', 'gross relevance n/a: the logit is 0')
    """
    if math.isnan(per_logit):
        return "gross relevance n/a: the logit is 0"
    return f"gross relevance {per_logit:.{1 if per_logit < 10 else 0}f} times |logit|"
