"""The names that other programs give to samplers, understood as ours."""

import re

from imagespace.diffusion.samplers import SAMPLERS, SamplerName
from imagespace.diffusion.spacing import SpacingName
from imagespace.errors import UserError

# Compared without case, spaces, signs and the words scheduler, discrete and sample.
_ALIASES: dict[str, SamplerName] = {
    "ddpm": "ddpm",
    "ddim": "ddim",
    "euler": "euler",
    "floweuler": "euler",
    "flowmatcheuler": "euler",
    "eulera": "euler_ancestral",
    "eulerancestral": "euler_ancestral",
    "heun": "heun",
    "flowmatchheun": "heun",
    "dpmpp2m": "dpmpp_2m",
    "dpm2m": "dpmpp_2m",
    "dpmsolvermultistep": "dpmpp_2m",
    "dpmsolverpp2m": "dpmpp_2m",
    "dpmpp2msde": "dpmpp_2m_sde",
    "dpmsolverpp2msde": "dpmpp_2m_sde",
    "rk45": "rk45",
    "dopri5": "rk45",
    "langevin": "langevin",
    "annealedlangevin": "langevin",
}


def sampler_named(name: str) -> tuple[SamplerName, SpacingName | None]:
    """Our sampler and the spacing that a name asks for, as "DPM++ 2M Karras" does.

    Understands our names, those of popular image programs ("Euler a"), of k-diffusion
    ("sample_dpmpp_2m", "dpmpp_2m_karras") and diffusers' classes ("DDIMScheduler"). Errors:
    UserError for any other.
    """
    plain = re.sub(r"[^a-z0-9]", "", name.lower().replace("++", "pp"))
    plain = re.sub(r"^(sample|k(?=dpm|euler|heun))|scheduler|discrete", "", plain)
    spacing: SpacingName | None = None
    if plain.endswith("karras"):
        plain, spacing = plain.removesuffix("karras"), "karras"
    if plain not in _ALIASES:
        raise UserError(
            f"sampler {name!r}", "there is no such sampler", f"Use one of {', '.join(SAMPLERS)}"
        )
    return _ALIASES[plain], spacing
