"""The configuration of a training run: what a recipe returns and a run folder records."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from imagespace.checkpoints import ModelConfig
from imagespace.networks.autoencoder import AutoencoderConfig
from imagespace.training.augmentation import AugmentationConfig


class TrainingConfig(BaseModel):
    """How the weights are found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(0, ge=0, lt=2**63)
    batch_size: int = Field(128, ge=1)
    # Exactly one of the two budgets; the learning rate reaches zero at its end.
    budget_images: int | None = Field(None, ge=1)
    budget_minutes: float | None = Field(None, gt=0)
    matrix_optimizer: Literal["muon", "adamw"] = "muon"  # of the blocks' matrices
    matrix_learning_rate: float = Field(2e-3, gt=0)
    other_learning_rate: float = Field(1e-3, gt=0)  # AdamW's
    weight_decay: float = Field(0.05, ge=0)
    warmup_steps: int = Field(200, ge=0)  # or the first twentieth of the budget, if that is sooner
    decay_fraction: float = Field(0.5, ge=0, le=1)  # the last part of the budget
    gradient_clip_norm: float = Field(1.0, gt=0)
    ema_exponent: float = Field(16.97, gt=0)  # sigma_rel 0.05 of EDM2, arXiv 2312.02696 eq. 121
    caption_dropout: float = Field(0.1, ge=0, le=1)
    # Chance that a picture is shown under one of its alternative captions, where it has any.
    alternative_caption: float = Field(0.25, ge=0, le=1)
    # Chance that a caption "a; b; c" is shown as one of its senses alone.
    single_sense: float = Field(0.5, ge=0, le=1)
    augmentation: AugmentationConfig = AugmentationConfig()
    # Of latents: as what each picture is encoded once, itself and so many changes less one.
    num_latent_looks: int = Field(4, ge=1)
    # Over the budget: sample grid and held-out loss at each. Of a budget in minutes, one is put off
    # while those before it have taken more than a tenth of the time; the last is always made.
    evaluations: int = Field(12, ge=1)
    num_validation: int = Field(512, ge=1)
    save_every_minutes: float = Field(3.0, gt=0)
    kept_checkpoints: int = Field(2, ge=1)
    # "auto" times both and takes the faster; small networks gain nothing from bfloat16.
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    # torch.compile, where there is a compiler and the time: after its first minute twice as fast in
    # bfloat16, and up to a third faster in float32.
    compile: bool = True
    sample_prompts: list[str] = []
    samples_per_prompt: int = Field(2, ge=1)

    @model_validator(mode="after")
    def _one_budget(self) -> "TrainingConfig":
        if (self.budget_images is None) == (self.budget_minutes is None):
            raise ValueError("give exactly one of budget_images and budget_minutes")
        return self


class ReconstructionConfig(BaseModel):
    """What an autoencoder is asked to make small besides the squared error of the pixels."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Of the absolute errors of the pixels' differences at three scales: edges count more.
    edge_weight: float = Field(0.1, ge=0)
    # Of half the square of the latents, whose posterior then has variance 1; 0: no noise.
    kl_weight: float = Field(0.0, ge=0)
    # The pull of a discriminator on the copies, as a multiple of that of all else; 0: none.
    adversarial_weight: float = Field(0.0, ge=0)


class AutoencoderRun(BaseModel):
    """A whole run of an autoencoder: its shape, its pictures and its training."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    weights_file: ClassVar[str] = "autoencoder.safetensors"

    recipe: str
    autoencoder: AutoencoderConfig = AutoencoderConfig()
    # At least 8, so that there are edges at a quarter of the resolution (reconstruction.edges).
    image_size_px: int = Field(128, ge=8)
    # How pictures were made square: decoding.Rendering.
    fit: Literal["pad", "crop", "stretch"] = "pad"
    # Side of the squares that it is trained on, cut at random; None: whole pictures.
    crop_px: int | None = Field(None, ge=8)
    reconstruction: ReconstructionConfig = ReconstructionConfig()
    training: TrainingConfig = TrainingConfig(budget_minutes=30)

    @model_validator(mode="after")
    def _sizes_divide(self) -> "AutoencoderRun":
        for side in (self.image_size_px, self.crop_px or self.image_size_px):
            if side % self.autoencoder.downsampling:
                raise ValueError(
                    f"{side} px cannot be divided by the downsampling, "
                    f"{self.autoencoder.downsampling}"
                )
        return self


class RunConfig(BaseModel):
    """A whole run: the model and its training."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    weights_file: ClassVar[str] = "model.safetensors"

    recipe: str
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig(budget_minutes=30)
    # Of the model whose weights the network begins with, 16 digits (`Model.sha256`); empty where
    # they are random.
    initial_sha256: str = ""

    @model_validator(mode="after")
    def _network_reads_the_labels(self) -> "RunConfig":
        num_read = getattr(self.model.network, "num_augmentation_labels", 0)
        num_drawn = self.training.augmentation.num_labels
        if num_read != num_drawn:
            raise ValueError(
                f"network.num_augmentation_labels is {num_read}, and the augmentation of the "
                f"training has {num_drawn}: make them equal"
            )
        return self
