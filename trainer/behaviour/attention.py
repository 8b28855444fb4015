"""Attention over events: pre-norm blocks that mix them, and the pooling whose weights say what each event gives."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from headrace.arrays import HISTORY

_HIDDEN_KEY = -1e9
_LEAST_REST = 0.02
"""Of a softmax's weights: where one key has nearly all of them, what the others would say is hardly known."""


class Block(nn.Module):
    """One pre-norm transformer block whose attention knows how many events lie between."""

    def __init__(self, width: int, heads: int, feed: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.distance = nn.Parameter(torch.zeros(heads, HISTORY))
        self.norm_feed = nn.LayerNorm(width)
        self.feed = nn.Sequential(nn.Linear(width, feed * width), nn.GELU(), nn.Linear(feed * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BLD: Tensor, mask_BLL: Tensor, distance_LL: Tensor) -> Tensor:
        """Mix events. [B, L, D]"""
        return self._mix(x_BLD, mask_BLL, distance_LL)[0]

    def with_losses(self, x_BLD: Tensor, mask_BLL: Tensor, distance_LL: Tensor) -> tuple[Tensor, Tensor]:
        """Mix events, and say what the newest one's state loses without each of the others. [B, L, D] each

        The attention over the rest is exact; what the feed-forward layer makes of the difference is left out.
        """
        x_BLD, (q, k, v) = self._mix(x_BLD, mask_BLL, distance_LL)
        bias = self.distance[:, distance_LL[-1]].view(1, self.heads, 1, -1)
        logits = attention_logits(q[:, :, -1:], k, bias).masked_fill(~mask_BLL[:, None, -1:], _HIDDEN_KEY)
        weight_BHL = logits.softmax(dim=-1).squeeze(2)
        return x_BLD, F.linear(losses(weight_BHL, v, attended(weight_BHL, v)), self.out.weight)

    def _mix(
        self, x_BLD: Tensor, mask_BLL: Tensor, distance_LL: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        q, k, v = (split_heads(part, self.heads) for part in self.qkv(self.norm_attention(x_BLD)).chunk(3, dim=-1))
        bias = self.distance[:, distance_LL].unsqueeze(0).masked_fill(~mask_BLL.unsqueeze(1), _HIDDEN_KEY)
        if self.training:
            weights = self.dropout(attention_logits(q, k, bias).softmax(dim=-1))
            mixed = weights.to(v.dtype) @ v
        else:  # the same in one kernel
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype))
        x_BLD = x_BLD + self.dropout(self.out(mixed.transpose(1, 2).flatten(2)))
        return x_BLD + self.dropout(self.feed(self.norm_feed(x_BLD))), (q, k, v)


class Pooling(nn.Module):
    """The last attention, which values no mixture but each event: a user vector is the sum of what each gives to it.

    One more key that gives nothing takes the attention that no event deserves.
    """

    def __init__(self, width: int, heads: int, ages: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qk = nn.Linear(width, 2 * width)
        self.value = nn.Linear(width, width, bias=False)
        self.distance = nn.Parameter(torch.zeros(heads, HISTORY))
        self.age = nn.Parameter(torch.zeros(heads, ages))
        self.nothing = nn.Parameter(torch.zeros(heads))

    def values(self, x_BLD: Tensor) -> Tensor:
        """What each event has to give. [B, H, L, D/H]"""
        return split_heads(self.value(self.norm(x_BLD)), self.heads)

    def newest_weights(self, x_BLD: Tensor, known_BL: Tensor, distance_L: Tensor, age_BL: Tensor) -> Tensor:
        """The last row of `weights`, by itself: serving needs no other. [B, H, L]

        Args:
            distance_L: events between each event and the newest.
            age_BL: bucket of the time since each event.
        """
        normed, width = self.norm(x_BLD), x_BLD.shape[-1]
        query, key = self.qk.weight.split(width)
        query_bias, key_bias = self.qk.bias.split(width)
        q = split_heads(F.linear(normed[:, -1:], query, query_bias), self.heads)
        k = split_heads(F.linear(normed, key, key_bias), self.heads)
        bias_BHL = self.distance[:, distance_L] + self.age[:, age_BL].transpose(0, 1)
        logits = attention_logits(q, k, bias_BHL.unsqueeze(2))
        logits = logits.masked_fill(~known_BL[:, None, None], _HIDDEN_KEY)
        nothing = self.nothing.view(1, -1, 1, 1).expand(*logits.shape[:-1], 1)
        return F.softmax(torch.cat([nothing, logits], dim=-1), dim=-1)[:, :, 0, 1:]

    def weights(self, x_BLD: Tensor, mask_BLL: Tensor, distance_LL: Tensor, age_BLL: Tensor) -> Tensor:
        """How much of each event j the shopper's vector after event i takes. [B, H, L, L]"""
        q, k = (split_heads(part, self.heads) for part in self.qk(self.norm(x_BLD)).chunk(2, dim=-1))
        bias = self.distance[:, distance_LL].unsqueeze(0) + self.age[:, age_BLL].transpose(0, 1)
        logits = attention_logits(q, k, bias).masked_fill(~mask_BLL.unsqueeze(1), _HIDDEN_KEY)
        nothing = self.nothing.view(1, -1, 1, 1).expand(*logits.shape[:-1], 1)
        return F.softmax(torch.cat([nothing, logits], dim=-1), dim=-1)[..., 1:]


def attention_logits(q_BHLd: Tensor, k_BHLd: Tensor, bias: Tensor) -> Tensor:
    """Scaled products plus a bias, in float32. [B, H, L, L]"""
    return (q_BHLd @ k_BHLd.transpose(-1, -2)).float() / math.sqrt(q_BHLd.shape[-1]) + bias


def attended(weight_BHL: Tensor, value_BHLd: Tensor) -> Tensor:
    """What one query's attention answers. [B, H, 1, D/H]"""
    return weight_BHL.unsqueeze(2) @ value_BHLd


def losses(weight_BHL: Tensor, value_BHLd: Tensor, answer_BH1d: Tensor) -> Tensor:
    """What an attention's answer loses without each key, the others' weights shared out anew: exact. [B, L, D]"""
    odds_BHL = weight_BHL / (1 - weight_BHL).clamp(min=_LEAST_REST)
    beyond_BLHd = (value_BHLd - answer_BH1d).transpose(1, 2)
    return (beyond_BLHd * odds_BHL.transpose(1, 2).unsqueeze(-1)).flatten(2)


def split_heads(x_BLD: Tensor, heads: int) -> Tensor:
    """[B, L, D] to [B, H, L, D/H]."""
    return x_BLD.unflatten(-1, (heads, -1)).transpose(1, 2)
