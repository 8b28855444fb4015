"""The click head: how likely is this shopper to click on this item at this place of a list."""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from headrace.arrays import HISTORY
from trainer.click.tables.cross import CrossLayers

_PLACES: Final = 50
"""Places with a chance of their own to be looked at; those further down share the last."""
_SEEN_AT_MOST: Final = 0.95
"""Chance that the best place is looked at before anything is learnt. A certain place would learn nothing: log odds of
4 stayed there, and the first three of ten places, which clicks tell apart by a fifth, were all taken for certain."""
_CERTAIN: Final = 4.0
"""Log odds that any place is looked at in a head that has met no places."""
_STEADY: Final = 20.0
"""Expected clicks' worth of the average place that every place starts with."""
_PACE: Final = 10.0
"""How much faster than the other weights these log odds move."""
_BUCKETS: Final = 2_048
"""Buckets of context hashes; the first is padding, the second every value that training did not see."""
_UNKNOWN: Final = 1
_SIDE: Final = 8
_HIDDEN: Final = 128
_RANK: Final = 32
_LAYERS: Final = 2
_DROPOUT: Final = 0.3
_VALUE_DROPOUT: Final = 0.05
"""Share of context values that training shows as unknown, so that the unknown is learnt."""


class ClickHead(nn.Module):
    """Chance that a place is looked at, times chance that the item appeals to who looks. M rows, C context pairs.

    The product is the position-based model (Richardson et al. 2007, "Predicting Clicks"; Craswell et al. 2008). Appeal
    corrects the item's average click rate by crosses of shopper, item and context as in DCNv2 and a perceptron.
    """

    known_bucket: Tensor
    last_place: Tensor
    slope: Tensor
    shift: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.place = nn.Embedding(_PLACES, 1)
        self.context = nn.Embedding(_BUCKETS, _SIDE, padding_idx=0)
        self.match = nn.Linear(1, 1)
        features = 3 * width + _SIDE + 1
        self.cross = CrossLayers(features, _RANK, _LAYERS)
        self.deep = nn.Sequential(nn.Linear(features, _HIDDEN), nn.GELU())
        self.dropout = nn.Dropout(_DROPOUT)
        self.last = nn.Linear(features + _HIDDEN, 1)
        self.register_buffer("known_bucket", torch.ones(_BUCKETS, dtype=torch.bool))
        self.register_buffer("last_place", torch.tensor(_PLACES - 1))
        self.register_buffer("slope", torch.tensor(1.0))
        self.register_buffer("shift", torch.tensor(0.0))
        nn.init.normal_(self.context.weight, std=0.02)
        # An untrained head answers with the item's average rate.
        for zero in (self.match.weight, self.match.bias, self.last.weight, self.last.bias):
            nn.init.zeros_(zero)
        with torch.no_grad():
            self.context.weight[0] = 0
            self.place.weight.fill_(_CERTAIN / _PACE)

    def forward(
        self, user_MD: Tensor, item_MD: Tensor, prior_M: Tensor, place_M: Tensor, context_MC: Tensor, known_M: Tensor
    ) -> Tensor:
        """Calibrated logit of the click probability. [M]

        Args:
            user_MD, item_MD: vectors of the shopper (before the impression) and of the item.
            prior_M: logit of the item's average click rate.
            place_M: 0-based place in the list.
            context_MC: context hashes, 0 for none.
            known_M: events in the shopper's history.
        """
        both = user_MD * item_MD
        length = (known_M.to(user_MD.dtype) / HISTORY).unsqueeze(1)
        x_MW = torch.cat([user_MD, item_MD, both, self._context(context_MC), length], dim=1)
        mixed_MW = self.dropout(torch.cat([self.cross(x_MW), self.deep(x_MW)], dim=1))
        correction = self.last(mixed_MW) + self.match(both.sum(dim=1, keepdim=True))
        item_logit = prior_M + correction.squeeze(1).float()
        place = torch.minimum(place_M.clamp(min=0), self.last_place)
        seen = _PACE * self.place(place).squeeze(1)
        log_p = (F.logsigmoid(seen) + F.logsigmoid(item_logit)).clamp(max=-1e-6)
        return self.slope * (log_p - torch.log(-torch.expm1(log_p))) + self.shift

    def init_statistics(self, place_M: Tensor, context_IC: Tensor, prior_M: Tensor, clicked_M: Tensor) -> None:
        """Note which places and context values training shows: all others are taken for the last, and for unknown.

        How likely places are looked at begins at their clicks over those that their items' average rates promise.
        """
        self.last_place.fill_(int(place_M.max().clamp(max=_PLACES - 1)))
        place = torch.minimum(place_M, self.last_place)
        clicks, expected = (
            torch.zeros(_PLACES, device=of.device).index_add_(0, place, of) for of in (clicked_M, prior_M.sigmoid())
        )
        seen = (clicks + _STEADY) / (expected + _STEADY)
        seen = _SEEN_AT_MOST * seen / seen.max()
        with torch.no_grad():
            self.place.weight[:, 0] = torch.logit(seen) / _PACE
            # The average rates are those of the average place.
            self.match.bias.fill_(-float(torch.log((expected * seen).sum() / expected.sum())))
        self.known_bucket.fill_(False)
        self.known_bucket[_bucket(context_IC).unique()] = True

    def calibrate(self, slope: float, shift: float) -> None:
        """Set the map from the fitted head's log odds to those that hold."""
        self.slope.fill_(slope)
        self.shift.fill_(shift)

    def _context(self, context_MC: Tensor) -> Tensor:
        bucket = _bucket(context_MC)
        unknown = ~self.known_bucket[bucket]
        if self.training:
            unknown = unknown | (torch.rand(bucket.shape, device=bucket.device) < _VALUE_DROPOUT)
        return self.context(torch.where(unknown & (bucket > 0), _UNKNOWN, bucket)).sum(dim=1)


def _bucket(context_MC: Tensor) -> Tensor:
    return torch.where(context_MC == 0, 0, context_MC.remainder(_BUCKETS - 2) + 2)
