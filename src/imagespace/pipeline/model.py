"""A trained model: draws, walks, and answers where the good pictures lie from any point."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Literal, Unpack, get_args

import numpy as np
import torch
from torch import Tensor

from imagespace.checkpoints import ModelConfig
from imagespace.diffusion.composition import Composition
from imagespace.diffusion.denoiser import Denoiser, NetworkDenoiser
from imagespace.diffusion.guidance import Guidance
from imagespace.diffusion.inpainting import Inpainting
from imagespace.diffusion.likelihood import Likelihood, likelihood, random_signs
from imagespace.diffusion.samplers import Noise, Step, walk
from imagespace.diffusion.slerp import slerp
from imagespace.diffusion.spacing import step_times, times_from
from imagespace.errors import UserError
from imagespace.networks.autoencoder import Autoencoder
from imagespace.networks.build import Network
from imagespace.networks.perceptron import PerceptronConfig
from imagespace.pipeline.batching import batches
from imagespace.pipeline.checks import check_guidance, check_prompt
from imagespace.pipeline.drawn import Pictures
from imagespace.pipeline.picture_space import PictureSpace
from imagespace.pipeline.prompted import PromptedDenoiser
from imagespace.pipeline.redrawing import redrawn
from imagespace.pipeline.settings import (
    PictureSettings,
    SamplingOptions,
    Term,
    sampling_config,
)
from imagespace.pipeline.start import Start
from imagespace.pipeline.turning import axis_uses, turned
from imagespace.randomness import generator, picture_noise
from imagespace.text.vectors import TextEncoder

FieldName = Literal["direction", "score", "eps", "velocity", "prompt"]


class Model(PictureSpace):
    """A trained network: `generate` draws, `walk` shows every step, `field` what it answers.

    A model without a text encoder has no prompts: its prompt is "". A model of points has no
    pixels: `sample` draws from it. From its samples x_t to pictures and back: `PictureSpace`.
    """

    def __init__(
        self,
        config: ModelConfig,
        network: Network,
        encoder: TextEncoder | None,
        sha256: str,
        source: str,
        autoencoder: Autoencoder | None = None,
    ) -> None:
        super().__init__(config, autoencoder, source)
        self.network = network.eval().requires_grad_(False)
        self.encoder = encoder
        self.sha256 = sha256
        self.schedule = config.objective.build_schedule()

    @property
    def device(self) -> torch.device:
        """Where the network computes; samples and pictures stay on the processor."""
        return next(self.network.parameters()).device

    def settings(
        self,
        prompt: str | Sequence[str] = "",
        num: int = 1,
        seed: int = 0,
        negative: str = "",
        truncate: bool = False,
        weaker: "Model | None" = None,
        start: Start | None = None,
        axes: Mapping[str, float] | None = None,
        terms: Sequence[Term] = (),
        **sampling: Unpack[SamplingOptions],
    ) -> list[PictureSettings]:
        """The settings of `num` pictures for each prompt; picture i of a prompt has seed + i.

        `weaker` guides away from that model's answers (autoguidance), `negative` from those to
        another prompt; `terms` are added to each prompt or taken from it. `axes` are turned so far,
        in units (`imagespace axes find`). Words that cannot be read, or in pieces only, are named
        in a warning. Errors: UserError for a prompt without a readable word or, unless `truncate`,
        beyond the model's tokens; for an unknown axis; for an impossible value; for a prompt or
        guidance that the model has no way to follow.
        """
        if num < 1:
            raise UserError(f"num {num}", "at least one picture must be drawn", "Use 1 or more")
        if not 0 <= seed < 2**63 - num:
            raise UserError(f"seed {seed}", "must be from 0 to 2^63 - 1", "Use such a seed")
        merged = sampling_config(self.config.sampling, sampling)
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        if not prompts:
            raise UserError("prompt", "there is none", 'Give at least one: "a fish"')
        check_guidance(self, negative, weaker, merged.guidance, sampling.get("guidance_rescale"))
        further = [term.prompt for term in terms] + ([negative] if negative else [])
        without_words = start is not None and start.inverted_prompt == ""
        for text in dict.fromkeys([*prompts, *further]):
            if text or not without_words:  # found under no words, redrawn under none
                check_prompt(self, text, truncate)
        if start is not None and start.inverted_prompt is not None:
            if start.inverted_prompt:
                check_prompt(self, start.inverted_prompt, truncate)
            if any(sampling.get(key) is not None for key in ("sampler", "spacing", "eta")):
                raise UserError(
                    "inverted prompt",
                    "a picture is redrawn by the DDIM steps that its noise was found with",
                    "Leave out the sampler, the spacing and eta",
                )
            merged = merged.model_copy(update={"sampler": "ddim", "eta": None})
        uses = axis_uses(self, axes or {}, start)
        return [
            PictureSettings(
                prompt=text,
                negative=negative,
                seed=seed + index,
                model=self.source,
                model_sha256=self.sha256,
                weaker="" if weaker is None else weaker.source,
                weaker_sha256="" if weaker is None else weaker.sha256,
                start=start,
                axes=uses,
                terms=tuple(terms),
                sampling=merged,
                num_threads=torch.get_num_threads(),
            )
            for text in prompts
            for index in range(num)
        ]

    def generate(
        self,
        prompt: str | Sequence[str] = "",
        num: int = 1,
        seed: int = 0,
        negative: str = "",
        truncate: bool = False,
        weaker: "Model | None" = None,
        start: Start | None = None,
        axes: Mapping[str, float] | None = None,
        terms: Sequence[Term] = (),
        **sampling: Unpack[SamplingOptions],
    ) -> Pictures:
        """Draws `num` pictures for each prompt; warnings and errors as in `settings`."""
        chosen = self.settings(
            prompt, num, seed, negative, truncate, weaker, start, axes, terms, **sampling
        )
        return self.draw(chosen)

    def walk(
        self,
        prompt: str = "",
        num: int = 1,
        seed: int = 0,
        negative: str = "",
        truncate: bool = False,
        weaker: "Model | None" = None,
        start: Start | None = None,
        axes: Mapping[str, float] | None = None,
        terms: Sequence[Term] = (),
        **sampling: Unpack[SamplingOptions],
    ) -> Iterator[Step]:
        """Yields every `Step` of the walk of `num` pictures; tensors [num, C, H, W]."""
        chosen = self.settings(
            prompt, num, seed, negative, truncate, weaker, start, axes, terms, **sampling
        )
        return self.steps(chosen)

    def sample(self, num: int, seed: int = 0, **sampling: Unpack[SamplingOptions]) -> Tensor:
        """`num` samples without a prompt, from one stream of noise: [num, D] or [num, C, H, W].

        What a model of points draws by; `generate` is its like for pictures.
        """
        config = sampling_config(self.config.sampling, sampling)
        check_guidance(self, "", None, config.guidance, sampling.get("guidance_rescale"))
        shape = (num, *self.config.network.sample_shape)

        def noise(index: int) -> Tensor:
            return torch.randn(shape, generator=generator(seed, "step", index))

        with torch.inference_mode():
            start = torch.randn(shape, generator=generator(seed, "start"))
            start = start * self.schedule.sigma(torch.tensor(1.0))
            times = step_times(config.num_steps, self.schedule, config.spacing, config.time_shift)
            denoiser = self.denoiser([""] * num)
            for step in walk(denoiser, start, times, config.build_sampler(), noise):  # noqa: B007
                pass
        return step.x_next

    def draw(self, settings: Sequence[PictureSettings]) -> Pictures:
        """Draws exactly these pictures, a batch at a time."""
        if isinstance(self.config.network, PerceptronConfig):
            raise UserError(self.source, "draws points, not pictures", "Use model.sample(num)")
        parts = []
        for batch in batches(settings):
            for step in self.steps(batch):  # noqa: B007
                pass
            parts.append(self.pixels(step.x_next, batch[0].start))
        return Pictures(np.concatenate(parts), list(settings))

    def steps(self, settings: Sequence[PictureSettings]) -> Iterator[Step]:
        """The walk of one batch; all pictures share their sampling, start and weaker model."""
        first = settings[0]
        sampling = first.sampling
        if any(s.walk != first.walk for s in settings):
            raise ValueError("one walk has one sampler, guidance, start, axes and number of steps")

        def noise(index: int) -> Tensor:
            return self._noise(settings, "step", index)

        eps = self._noise(settings, "start")
        denoiser = self.guided(settings)
        if first.axes:
            denoiser = turned(self, settings, denoiser)
        steps: Iterator[Step]
        if first.start is not None and first.start.inverted_prompt is not None:
            steps = redrawn(self, denoiser, settings)
        elif first.start is not None:
            steps = self._steps_from(first.start, denoiser, eps, settings, noise)
        else:
            times = step_times(
                sampling.num_steps, self.schedule, sampling.spacing, sampling.time_shift
            )
            x_1 = eps * self.schedule.sigma(torch.tensor(1.0))
            steps = walk(denoiser, x_1, times, sampling.build_sampler(), noise)
        while True:
            # Not around the yield: inference mode would leak into the caller.
            with torch.inference_mode():
                step = next(steps, None)
            if step is None:
                return
            yield step

    def _steps_from(
        self,
        start: Start,
        denoiser: Denoiser,
        eps: Tensor,
        settings: Sequence[PictureSettings],
        noise: Noise,
    ) -> Iterator[Step]:
        """The walk that starts from a picture; eps [B, C, H, W] is the noise that it is given."""
        sampling = settings[0].sampling
        x_0, mask = self.start_samples(start)
        x_0 = x_0.expand(eps.shape)
        times = step_times(sampling.num_steps, self.schedule, sampling.spacing, sampling.time_shift)
        times = times_from(times, self.schedule, start.strength)
        x_t = self.schedule.add_noise(x_0, eps, torch.tensor(times[0]))
        if mask is not None:
            denoiser = Inpainting(denoiser, x_0, mask)
        yield from walk(denoiser, x_t, times, sampling.build_sampler(), noise)

    def _noise(self, settings: Sequence[PictureSettings], stream: str, *numbers: int) -> Tensor:
        """The noise of each picture, [B, ...]; between two stops, on the arc between theirs."""
        shape = self.config.network.sample_shape

        def of(seeds: list[int]) -> Tensor:
            return torch.stack([picture_noise(shape, s, stream, [0], *numbers)[0] for s in seeds])

        seeds = [s.seed for s in settings]
        ends = [s.seed if s.towards is None else s.towards.seed for s in settings]
        if seeds == ends:
            return of(seeds)
        shares = [s.share if s.seed != end else 0.0 for s, end in zip(settings, ends, strict=True)]
        return slerp(of(seeds), of(ends), torch.tensor(shares))

    def denoiser(self, prompts: Sequence[str]) -> NetworkDenoiser:
        """The model's own answer under one prompt for each picture of a batch, unguided."""
        if self.encoder is None:
            condition = torch.empty(len(prompts), 0)
        else:
            length = self.config.network.max_text_tokens
            condition = self.encoder.states(self.encoder.encode(prompts, length).token_ids)
        condition = condition.to(self.device)
        prediction = self.config.objective.prediction
        return NetworkDenoiser(self.network, self.schedule, prediction, condition)

    def guided(self, settings: Sequence[PictureSettings]) -> Denoiser:
        """The denoiser that a batch is drawn with: the prompts, guided away from what is worse."""
        first, good = settings[0], self._composed(settings)
        sampling = first.sampling
        if sampling.guidance == 1:
            return good
        if first.weaker:
            bad = _weaker_model(first.weaker, first.weaker_sha256, str(self.device))._composed(
                settings
            )
        else:
            bad = self.denoiser([s.negative for s in settings])
        interval, rescale = sampling.guidance_interval, sampling.guidance_rescale
        return Guidance(good, bad, sampling.guidance, interval, rescale)

    def _composed(self, settings: Sequence[PictureSettings]) -> Denoiser:
        """The answer under each picture's prompt, or under several by their weights."""
        weights = [list(s.weights.items()) for s in settings]
        if all(own == [(s.prompt, 1.0)] for own, s in zip(weights, settings, strict=True)):
            return self.denoiser([s.prompt for s in settings])
        most = max(map(len, weights))
        padded = [own + [("", 0.0)] * (most - len(own)) for own in weights]
        parts = [self.denoiser([own[k][0] for own in padded]) for k in range(most)]
        shares = torch.tensor([[own[k][1] for own in padded] for k in range(most)])
        return Composition(parts, shares, self.denoiser([""] * len(settings)))

    def prompted(
        self, prompt: str = "", negative: str = "", **sampling: Unpack[SamplingOptions]
    ) -> PromptedDenoiser:
        """The denoiser that a prompt is drawn with, for batches of any size; errors of `settings`.

        What looks at many points of the space at once asks it. Without a prompt it is the model's
        answer to no words, which nothing guides.
        """
        if not prompt and not negative:
            return PromptedDenoiser(self.schedule, lambda size: self.denoiser([""] * size))
        (settings,) = self.settings(prompt, negative=negative, **sampling)
        return PromptedDenoiser(self.schedule, lambda size: self.guided([settings] * size))

    def field(self, name: str, x_t: Tensor, t: float, prompt: str = "") -> Tensor:
        """What the model answers at points x_t [B, ...] and time t, shaped as x_t.

        direction x0_hat - x_t; score; eps; velocity; or prompt, the difference in x0_hat that the
        prompt makes. Errors: UserError for another name, or a prompt's difference without one.
        """
        self.check_field(name, t, prompt)
        denoiser, time = self.denoiser([prompt] * len(x_t)), x_t.new_tensor(t)
        with torch.inference_mode():
            if name != "prompt":
                answer: Tensor = getattr(denoiser, name)(x_t, time)
                return answer
            return denoiser(x_t, time) - self.denoiser([""] * len(x_t))(x_t, time)

    def check_field(self, name: str, t: float, prompt: str) -> None:
        """The errors of `field`, before a walk is spent on its point."""
        if name not in get_args(FieldName):
            raise UserError(
                f"field {name!r}",
                "there is no such field",
                f"Use one of {', '.join(get_args(FieldName))}",
            )
        if not 0 < t <= 1:
            raise UserError(f"time {t:g}", "must be above 0, up to 1", "Use about 0.5")
        if name == "prompt" and not prompt:
            raise UserError("prompt", "there is none to make a difference", "Give a prompt")
        if prompt:
            check_prompt(self, prompt, truncate=False)

    def likelihood(
        self,
        x_0: Tensor,
        prompt: str = "",
        seed: int = 0,
        start_ratio: float = 0.02,
        num_steps: int = 16,
        num_probes: int = 4,
    ) -> Likelihood:
        """log p of samples x_0 [B, ...] with the noise of `start_ratio` added (likelihood.py).

        Two dimensions or fewer are exact; more are estimated with `num_probes` random probes.
        Errors: UserError if x_0 is not shaped as the model's samples.
        """
        if tuple(x_0.shape[1:]) != self.config.network.sample_shape:
            raise UserError(
                f"sample of shape {'x'.join(map(str, x_0.shape[1:]))}",
                f"this model's are {'x'.join(map(str, self.config.network.sample_shape))}",
                "Resize it, or name another model",
            )
        if prompt:
            check_prompt(self, prompt, truncate=False)
        random = generator(seed, "likelihood")
        s = self.schedule.time_at(torch.tensor(start_ratio))
        x_s = self.schedule.add_noise(x_0, torch.randn(x_0.shape, generator=random), s)
        probes = None
        if x_0[0].numel() > 2:
            probes = random_signs((num_probes, *x_0.shape), random)
        return likelihood(self.denoiser([prompt] * len(x_0)), x_s, start_ratio, num_steps, probes)


@lru_cache(maxsize=2)
def _weaker_model(source: str, sha256: str, device: str) -> Model:
    from imagespace.pipeline.loading import load

    model = load(source, device)
    if model.sha256 != sha256:
        raise UserError(
            source, f"has weights {model.sha256}, not {sha256}", "Name the model that drew it"
        )
    return model
