"""How near a picture is to its original: peak signal-to-noise ratio and structural similarity."""

import torch
import torch.nn.functional as F
from torch import Tensor

LARGEST_PSNR_DB = 100.0
"""What a perfect copy counts as in a mean."""
_PEAK = 2.0  # of values in [-1, 1]
_WINDOW_PX, _WINDOW_SIGMA_PX = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2  # of values in [0, 1]


def psnr(pictures: Tensor, originals: Tensor) -> Tensor:
    """10 log10(peak^2 / mean squared error) in dB of each picture [N, C, H, W] in [-1, 1], [N].

    Equal pictures have infinity.
    """
    error = (pictures - originals).square().flatten(1).mean(dim=1)
    return 10 * torch.log10(_PEAK**2 / error)


def ssim(pictures: Tensor, originals: Tensor) -> Tensor:
    """Structural similarity of each picture [N, C, H, W] in [-1, 1], [N]; equal ones have 1.

    ((2 m_x m_y + C1) (2 s_xy + C2)) / ((m_x^2 + m_y^2 + C1) (s_x^2 + s_y^2 + C2)) averaged over
    channels and places, with means, variances and covariance under a Gaussian window of 11 px
    (less in smaller pictures) and sigma 1.5 px that lies wholly within the picture. Wang et al.
    2004, doi 10.1109/TIP.2003.819861.
    """
    num_channels, side = pictures.shape[1], min(_WINDOW_PX, *pictures.shape[2:])
    # In double precision: variances are small differences of squares.
    x, y = (1 + pictures.double()) / 2, (1 + originals.double()) / 2
    place = torch.arange(side, dtype=x.dtype) - (side - 1) / 2
    window = torch.exp(-place.square() / (2 * _WINDOW_SIGMA_PX**2))
    down = (window / window.sum()).view(1, 1, side, 1).expand(num_channels, -1, -1, -1)

    def mean(values: Tensor) -> Tensor:
        rows = F.conv2d(values, down, groups=num_channels)
        return F.conv2d(rows, down.mT, groups=num_channels)

    mean_x, mean_y = mean(x), mean(y)
    var_x, var_y = mean(x * x) - mean_x**2, mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2 * covariance + _C2) / (var_x + var_y + _C2)
    return (luminance * structure).flatten(1).mean(dim=1).float()
