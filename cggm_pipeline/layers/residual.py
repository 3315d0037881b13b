"""The residual block in front of the head of MulT's and CGGM's sequence networks."""

from __future__ import annotations

from torch import Tensor, nn

from cggm_pipeline.layers.dropout import Dropout


class Residual(nn.Module):
    """h + W2 drop(relu(W1 h)), (B, width) to (B, width)."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)
        self.dropout = Dropout(dropout)

    def forward(self, h: Tensor) -> Tensor:
        added: Tensor = self.second(self.dropout(self.first(h).relu()))
        return h + added
