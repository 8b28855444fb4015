"""The behaviour encoder: causal attention over a shopper's events, and what the shopper's vector owes to each of them.

Shape letters as in `headrace.arrays`, and H attention heads.
"""

from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from feature_repo.basics.actions import ACTIONS
from feature_repo.shoppers.context import ACTION_BITS, BUCKETS
from headrace.arrays import HISTORY
from trainer.behaviour.action_heads import ActionProjections
from trainer.behaviour.attention import Block, Pooling, attended, losses
from trainer.behaviour.config import BehaviourConfig

#: Edges of the time buckets, ms: powers of two from a second to some four years.
_EDGES: Final = tuple(1000 * 2**k for k in range(28))
_UNKNOWN_GAP: Final = len(_EDGES) + 1
_EPSILON: Final = 1e-6


class EventEmbedding(nn.Module):
    """What happened, how, where, and how long after the event before it."""

    edges: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.action = nn.Embedding(len(ACTIONS) + 1, width)
        self.gap = nn.Embedding(_UNKNOWN_GAP + 1, width)
        self.channel = nn.Embedding(BUCKETS + 1, width)
        self.norm = nn.LayerNorm(width)
        self.register_buffer("edges", torch.tensor(_EDGES), persistent=False)
        for table in (self.action, self.gap, self.channel):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, item_BLD: Tensor, action_BL: Tensor, time_BL: Tensor) -> Tensor:
        """Embed events. [B, L, D]"""
        known = action_BL > 0
        gap = torch.bucketize(time_BL[:, 1:] - time_BL[:, :-1], self.edges, right=True)
        gap = torch.where(known[:, :-1], gap, _UNKNOWN_GAP)
        gap_BL = F.pad(gap, (1, 0), value=_UNKNOWN_GAP)
        code = (action_BL & (1 << ACTION_BITS) - 1).clamp(max=len(ACTIONS)).long()
        channel = (action_BL >> ACTION_BITS).clamp(max=BUCKETS).long()
        return self.norm(item_BLD + self.action(code) + self.channel(channel) + self.gap(gap_BL))


class BehaviourEncoder(nn.Module):
    """Events to user vectors: after every event at once (training), or now, event by event (serving).

    A user vector is the newest event's own state plus what the pooling takes of every event, at unit size.
    """

    edges: Tensor
    causal: Tensor
    itself: Tensor
    distance: Tensor

    def __init__(self, config: BehaviourConfig) -> None:
        super().__init__()
        self.embedding = EventEmbedding(config.width)
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, config.feed, config.dropout) for _ in range(config.blocks)
        )
        self.pooling = Pooling(config.width, config.heads, ages=_UNKNOWN_GAP + 1)
        self.gain = nn.Parameter(torch.ones(config.width))
        self.action_heads = ActionProjections(config)
        self.dropout = nn.Dropout(config.dropout)
        places = torch.arange(HISTORY)
        self.register_buffer("edges", torch.tensor(_EDGES), persistent=False)
        self.register_buffer("causal", torch.ones(HISTORY, HISTORY, dtype=torch.bool).tril(), persistent=False)
        self.register_buffer("itself", torch.eye(HISTORY, dtype=torch.bool), persistent=False)
        distance = (places.unsqueeze(1) - places).clamp(min=0)
        self.register_buffer("distance", distance, persistent=False)

    def forward(self, item_BLD: Tensor, action_BL: Tensor, time_BL: Tensor, now_B: Tensor) -> tuple[Tensor, Tensor]:
        """The user vector as of `now` [B, D], and what it would be without each event [B, L, D], to first order.

        Actions are combined by their weights, so that products with item vectors are scores.

        Args:
            item_BLD: item representations; anything where `action_BL` is 0.
            action_BL, time_BL: codes of action and channel, and ms, right-aligned; 0 before the first event.
            now_B: ms.
        """
        x_BLD, mask_BLL, distance = self._embed(item_BLD, action_BL, time_BL)
        for block in self.blocks[:-1]:
            x_BLD = block(x_BLD, mask_BLL, distance)
        x_BLD, lost_BLD = cast(Block, self.blocks[-1]).with_losses(x_BLD, mask_BLL, distance)
        known_BL = action_BL > 0
        newest_BD, before_BD = x_BLD[:, -1] * known_BL[:, -1:], x_BLD[:, -2] * known_BL[:, -2:-1]
        lost_BLD[:, -1] = newest_BD - before_BD  # without the newest event, the one before it is the newest
        age_BL = torch.bucketize(now_B.unsqueeze(1) - time_BL, self.edges, right=True)
        weight_BHL = self.pooling.newest_weights(x_BLD, known_BL, distance[-1], age_BL)
        value_BHLd = self.pooling.values(x_BLD)
        pooled_BH1d = attended(weight_BHL, value_BHLd)
        lost_BLD += losses(weight_BHL, value_BHLd, pooled_BH1d)
        user_B1D = (newest_BD + pooled_BH1d.flatten(1)).unsqueeze(1)
        turn_DD = self.gain.unsqueeze(1) * self.action_heads.map()
        return _sized(user_B1D).squeeze(1) @ turn_DD, _sized(user_B1D - lost_BLD) @ turn_DD

    def after_each(self, item_BLD: Tensor, action_BL: Tensor, time_BL: Tensor) -> Tensor:
        """The user vector after each event, as of that event, before it is turned to one action. [B, L, D]"""
        x_BLD, mask, distance = self._embed(item_BLD, action_BL, time_BL)
        for block in self.blocks:
            x_BLD = block(x_BLD, mask, distance)
        mask = mask & (action_BL > 0).unsqueeze(1)
        weights = self.pooling.weights(x_BLD, mask, distance, self._age(time_BL, time_BL))
        user_BLD = x_BLD + (weights.to(x_BLD.dtype) @ self.pooling.values(x_BLD)).transpose(1, 2).flatten(2)
        user_BLD = user_BLD.float() * (action_BL > 0).unsqueeze(-1)
        return _sized(user_BLD) * self.gain

    def _embed(self, item_BLD: Tensor, action_BL: Tensor, time_BL: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Events before they are mixed, which may look at which, and how many lie between."""
        length = action_BL.shape[1]
        causal = self.causal[:length, :length]
        known = (action_BL > 0).unsqueeze(1)
        # A padding event may look at itself: a row of softmax needs one key, and nobody looks back at it.
        mask_BLL = (causal & known) | self.itself[:length, :length]
        distance_LL = self.distance[:length, :length]
        return self.dropout(self.embedding(item_BLD, action_BL, time_BL)), mask_BLL, distance_LL

    def _age(self, time_BL: Tensor, now_BL: Tensor) -> Tensor:
        """Bucket of the time between event j and the moment i. [B, L, L]"""
        return torch.bucketize(now_BL.unsqueeze(2) - time_BL.unsqueeze(1), self.edges, right=True)


def _sized(user: Tensor) -> Tensor:
    """Vectors at unit size, the root of their mean square (Zhang & Sennrich 2019); of no history, zeros stay zeros."""
    return user * (user.square().mean(dim=-1, keepdim=True) + _EPSILON).rsqrt()
