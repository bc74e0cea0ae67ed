"""The network's parts do what their equations say."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from imagespace.networks.transformer import (
    Attention,
    PatchTransformer,
    TransformerConfig,
    training_flops_per_picture,
)

TINY = TransformerConfig(
    image_size_px=16,
    patch_size_px=4,
    width=32,
    depth=2,
    num_heads=2,
    text_width=8,
    max_text_tokens=3,
)


def awake(config=TINY):
    """A network whose zero-initialised layers are not zero, so that everything matters."""
    torch.manual_seed(0)
    network = PatchTransformer(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


def inputs(batch=2, config=TINY):
    random = torch.Generator().manual_seed(1)
    size = config.image_size_px
    x_t = torch.randn(batch, config.num_channels, size, size, generator=random)
    text = torch.randn(batch, config.max_text_tokens, config.text_width, generator=random)
    return x_t, torch.linspace(0.2, 0.8, batch), text


def test_starts_at_zero():
    assert PatchTransformer(TINY)(*inputs()).abs().max() == 0


def test_every_parameter_is_trained():
    network = awake()
    x_t, t, text = inputs()
    text[0, -1] = 0  # padding
    network(x_t, t, text).square().sum().backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


def test_patches_return_to_their_place():
    network = PatchTransformer(TINY)
    with torch.no_grad():
        # Patches pass through untouched: identity in, no positions, identity out.
        network.patch_in.weight.copy_(torch.eye(32, 16))
        network.positions.zero_()
        network.patch_out.weight.copy_(torch.eye(16, 32))
    x_t, t, text = inputs()
    answer = network(x_t, t, text)
    patches = x_t.unfold(2, 4, 4).unfold(3, 4, 4)
    # What remains is the final RMSNorm over the 32 wide token, half of it zero.
    rms = (patches.square().sum(dim=(4, 5)) / 32).sqrt()
    expected = x_t / rms.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    torch.testing.assert_close(answer, expected, rtol=1e-4, atol=1e-4)


def test_attention_matches_torch():
    torch.manual_seed(0)
    attention = Attention(32, 2)
    x = torch.randn(3, 5, 32)
    query, key, value = attention.qkv(x).view(3, 5, 3, 2, 16).permute(2, 0, 3, 1, 4)
    query, key = (torch.nn.functional.rms_norm(part, (16,)) for part in (query, key))
    mixed = torch.nn.functional.scaled_dot_product_attention(query, key, value)
    expected = attention.out(mixed.transpose(1, 2).reshape(3, 5, 32))
    torch.testing.assert_close(attention(x), expected, rtol=1e-4, atol=1e-5)


def test_words_steer_and_their_order_matters():
    network = awake()
    x_t, t, text = inputs()
    answer = network(x_t, t, text)
    assert (network(x_t, t, text.flip(1)) - answer).abs().max() > 1e-4
    assert (network(x_t, t, torch.zeros_like(text)) - answer).abs().max() > 1e-4
    assert (network(x_t, t.flip(0), text) - answer).abs().max() > 1e-4


def test_a_picture_does_not_see_its_batch():
    network = awake()
    x_t, t, text = inputs(batch=4)
    alone = network(x_t[2:3], t[2:3], text[2:3])
    torch.testing.assert_close(network(x_t, t, text)[2:3], alone, rtol=1e-4, atol=1e-5)


def test_leaving_out_the_unread_tokens_of_the_last_block_changes_nothing():
    network = awake()
    x_t, t, text = inputs()
    answer = network(x_t, t, text)
    last, first = network.blocks[-1], network.config.max_text_tokens
    assert first > 0
    short = last.forward
    last.forward = lambda x, shared, first: short(x, shared)[:, first:]
    torch.testing.assert_close(network(x_t, t, text), answer, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2])
def test_flops_are_those_that_torch_counts(size):
    config = TransformerConfig.sized(size)
    network = PatchTransformer(config)
    x_t, t, text = inputs(batch=2, config=config)
    with FlopCounterMode(display=False) as counter:
        network(x_t, t, text).sum().backward()
    # Torch also counts the time and modulation layers (per picture, not per token).
    counted = counter.get_total_flops() / 2
    assert training_flops_per_picture(config) == pytest.approx(counted, rel=0.03)


def test_size_dial():
    sizes = [
        sum(p.numel() for p in PatchTransformer(TransformerConfig.sized(s)).parameters())
        for s in (3, 6)
    ]
    assert sizes[1] == pytest.approx(7.2e6, rel=0.02)
    assert sizes[1] / sizes[0] > 6


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="patch_size_px 5 must divide image_size_px 16"):
        TransformerConfig(image_size_px=16, patch_size_px=5)
    with pytest.raises(ValueError, match="num_heads 3 must divide width 32"):
        TransformerConfig(width=32, num_heads=3)
