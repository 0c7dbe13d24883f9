"""Feature pyramid (siamese encoder) that the stereo and the two-view network share."""

from __future__ import annotations

from torch import Tensor, nn

from .layers import conv, double


class Features(nn.Module):
    """Feature pyramid of one image; both images pass through the same weights."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth, thirtysecond = widths
        self.to_quarter = nn.Sequential(conv(1, half, 3, 2), conv(half, quarter, 3, 2), conv(quarter, quarter))
        self.to_eighth = nn.Sequential(conv(quarter, eighth, 3, 2), conv(eighth, eighth))
        self.to_sixteenth = nn.Sequential(conv(eighth, sixteenth, 3, 2), conv(sixteenth, sixteenth))
        self.to_thirtysecond = nn.Sequential(conv(sixteenth, thirtysecond, 3, 2), conv(thirtysecond, thirtysecond))
        self.up_sixteenth = conv(thirtysecond, sixteenth, 1)
        self.up_eighth = conv(sixteenth, eighth, 1)
        self.up_quarter = conv(eighth, quarter, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """At 1/4, 1/8 and 1/16."""
        return self.from_half(self.to_quarter[0](image))

    def from_half(self, half: Tensor) -> tuple[Tensor, ...]:
        """The same from what the first convolution gives at 1/2."""
        quarter = self.to_quarter[1:](half)
        eighth = self.to_eighth(quarter)
        sixteenth = self.to_sixteenth(eighth)
        sixteenth = sixteenth + double(self.up_sixteenth(self.to_thirtysecond(sixteenth)))
        eighth = eighth + double(self.up_eighth(sixteenth))
        return quarter + double(self.up_quarter(eighth)), eighth, sixteenth
