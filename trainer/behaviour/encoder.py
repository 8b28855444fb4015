"""The behaviour encoder: causal attention over a shopper's events, pooled so that a score splits into their shares.

Shape letters as in `streams.messages.wire`, and H attention heads.
"""

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from feature_repo.actions import ACTIONS
from streams.messages.wire import HISTORY

WIDTH: Final = 64
"""D: width of the model."""
_HEADS: Final = 2
#: Edges of the time buckets, ms: powers of two from a second to some four years.
_EDGES: Final = tuple(1000 * 2**k for k in range(28))
_UNKNOWN_GAP: Final = len(_EDGES) + 1


class EventEmbedding(nn.Module):
    """What happened, how, and how long after the event before it."""

    edges: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.action = nn.Embedding(len(ACTIONS) + 1, width)
        self.gap = nn.Embedding(_UNKNOWN_GAP + 1, width)
        self.norm = nn.LayerNorm(width)
        self.register_buffer("edges", torch.tensor(_EDGES), persistent=False)
        for table in (self.action, self.gap):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, item_BLD: Tensor, action_BL: Tensor, time_BL: Tensor) -> Tensor:
        """Embed events. [B, L, D]"""
        known = action_BL > 0
        gap = torch.bucketize(time_BL[:, 1:] - time_BL[:, :-1], self.edges, right=True)
        gap = torch.where(known[:, :-1], gap, _UNKNOWN_GAP)
        gap_BL = F.pad(gap, (1, 0), value=_UNKNOWN_GAP)
        code = action_BL.clamp(max=len(ACTIONS)).long()
        return self.norm(item_BLD + self.action(code) + self.gap(gap_BL))


class Block(nn.Module):
    """One pre-norm transformer block whose attention knows how many events lie between."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.distance = nn.Parameter(torch.zeros(_HEADS, HISTORY))
        self.norm_feed = nn.LayerNorm(width)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BLD: Tensor, mask_BLL: Tensor, distance_LL: Tensor) -> Tensor:
        """Mix events. [B, L, D]"""
        q, k, v = (split_heads(part) for part in self.qkv(self.norm_attention(x_BLD)).chunk(3, dim=-1))
        bias = self.distance[:, distance_LL].unsqueeze(0)
        bias = bias.masked_fill(~mask_BLL.unsqueeze(1), -1e9)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        x_BLD = x_BLD + self.dropout(self.out(mixed.transpose(1, 2).flatten(2)))
        return x_BLD + self.dropout(self.feed(self.norm_feed(x_BLD)))


class Pooling(nn.Module):
    """The last attention, with no residual: a user vector is the sum of what each event gives to it.

    One more key that gives nothing takes the attention that no event deserves, so a shopper without history is the
    zero vector and a score is then the item's popularity alone.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.qk = nn.Linear(width, 2 * width)
        self.value = nn.Linear(width, width, bias=False)
        self.distance = nn.Parameter(torch.zeros(_HEADS, HISTORY))
        self.age = nn.Parameter(torch.zeros(_HEADS, _UNKNOWN_GAP + 1))
        self.nothing = nn.Parameter(torch.zeros(_HEADS))

    def values(self, x_BLD: Tensor) -> Tensor:
        """What each event has to give. [B, H, L, D/H]"""
        return split_heads(self.value(self.norm(x_BLD)))

    def weights(self, x_BLD: Tensor, mask_BLL: Tensor, distance_LL: Tensor, age_BLL: Tensor) -> Tensor:
        """How much of each event j the shopper's vector after event i takes. [B, H, L, L]"""
        q, k = (split_heads(part) for part in self.qk(self.norm(x_BLD)).chunk(2, dim=-1))
        logits = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        logits = logits + self.distance[:, distance_LL].unsqueeze(0) + self.age[:, age_BLL].transpose(0, 1)
        logits = logits.masked_fill(~mask_BLL.unsqueeze(1), -1e9)
        nothing = self.nothing.view(1, -1, 1, 1).expand(*logits.shape[:-1], 1)
        return torch.cat([nothing, logits], dim=-1).softmax(dim=-1)[..., 1:]


class BehaviourEncoder(nn.Module):
    """Events to user vectors: after every event at once (training), or now, event by event (serving)."""

    edges: Tensor
    causal: Tensor
    itself: Tensor
    distance: Tensor

    def __init__(self, width: int = WIDTH, blocks: int = 1, dropout: float = 0.1) -> None:
        super().__init__()
        self.embedding = EventEmbedding(width)
        self.blocks = nn.ModuleList(Block(width, dropout) for _ in range(blocks))
        self.pooling = Pooling(width)
        self.dropout = nn.Dropout(dropout)
        places = torch.arange(HISTORY)
        self.register_buffer("edges", torch.tensor(_EDGES), persistent=False)
        self.register_buffer("causal", torch.ones(HISTORY, HISTORY, dtype=torch.bool).tril(), persistent=False)
        self.register_buffer("itself", torch.eye(HISTORY, dtype=torch.bool), persistent=False)
        distance = (places.unsqueeze(1) - places).clamp(min=0)
        self.register_buffer("distance", distance, persistent=False)

    def forward(self, item_BLD: Tensor, action_BL: Tensor, time_BL: Tensor, now_B: Tensor) -> Tensor:
        """What each event gives to the user vector as of `now`; their sum is the user vector. [B, L, D]

        Args:
            item_BLD: item representations; anything where `action_BL` is 0.
            action_BL, time_BL: action codes and ms, right-aligned; 0 before the first event.
            now_B: ms.
        """
        x, mask, distance = self._mix(item_BLD, action_BL, time_BL)
        age = self._age(time_BL, now_B.unsqueeze(1).expand_as(time_BL))
        weights = self.pooling.weights(x, mask, distance, age)[:, :, -1]  # [B, H, L]
        given = self.pooling.values(x) * weights.unsqueeze(-1)
        return given.transpose(1, 2).flatten(2) * (action_BL > 0).unsqueeze(-1)

    def after_each(self, item_BLD: Tensor, action_BL: Tensor, time_BL: Tensor) -> Tensor:
        """The user vector after each event, as of that event. [B, L, D]"""
        x, mask, distance = self._mix(item_BLD, action_BL, time_BL)
        weights = self.pooling.weights(x, mask, distance, self._age(time_BL, time_BL))
        return (weights @ self.pooling.values(x)).transpose(1, 2).flatten(2)

    def _mix(self, item_BLD: Tensor, action_BL: Tensor, time_BL: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        length = action_BL.shape[1]
        causal = self.causal[:length, :length]
        known = (action_BL > 0).unsqueeze(1)
        # A padding event may look at itself: a row of softmax needs one key, and nobody looks back at it.
        mask_BLL = (causal & known) | self.itself[:length, :length]
        distance_LL = self.distance[:length, :length]
        x_BLD = self.dropout(self.embedding(item_BLD, action_BL, time_BL))
        for block in self.blocks:
            x_BLD = block(x_BLD, mask_BLL, distance_LL)
        return x_BLD, mask_BLL & known, distance_LL

    def _age(self, time_BL: Tensor, now_BL: Tensor) -> Tensor:
        """Bucket of the time between event j and the moment i. [B, L, L]"""
        return torch.bucketize(now_BL.unsqueeze(2) - time_BL.unsqueeze(1), self.edges, right=True)


def split_heads(x_BLD: Tensor) -> Tensor:
    """[B, L, D] to [B, H, L, D/H]."""
    return x_BLD.unflatten(-1, (_HEADS, -1)).transpose(1, 2)
