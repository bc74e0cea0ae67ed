"""Checks that the adapters train as the packages' own loops do: the same weights, bit for bit.

Run: python benchmarks/peers/same_steps.py

smalldiffusion's `training_loop` and denoising-diffusion-pytorch's `Trainer` take a few steps on
random pictures of 32 px, and the adapters the same steps from the same seeds. (The example that the
third adapter follows is in no package.)
"""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice

import torch
from peer import adapter
from torch import Tensor
from torch.utils.data import TensorDataset

SIZE_PX, SEED = 32, 3


def same(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def smalldiffusion(prediction: str) -> bool:
    """Five steps of an adapter against the package's loop."""
    module = adapter("smalldiffusion_dit")
    module.IMAGE_SIZE_PX = SIZE_PX
    from smalldiffusion import training_loop

    setting = replace(
        module.SETTINGS["default"], depth=2, prediction=prediction, scaled=prediction == "x0"
    )
    sampler = next(iter(module.samplers_of(setting).values()))
    pictures = torch.rand(40, 1, SIZE_PX, SIZE_PX).split(8)
    torch.manual_seed(SEED)
    ours = module.build(setting, sampler)
    for batch in pictures:
        ours.train_step(batch, 0.0)
    torch.manual_seed(SEED)
    theirs = module.build(setting, sampler)
    loop = training_loop(
        pictures,
        theirs.network,
        theirs.schedule,
        accelerator=theirs.accelerator,
        epochs=1,
        lr=setting.learning_rate,
    )
    for _ in loop:
        pass
    return same(ours.network.state_dict(), theirs.network.state_dict())


def lucidrains() -> bool:
    """Twelve steps of the adapter, in which the average is taken twice, against the Trainer."""
    module = adapter("lucidrains")
    module.IMAGE_SIZE_PX = SIZE_PX
    from denoising_diffusion_pytorch import denoising_diffusion_pytorch as package

    setting, sampler = module.SETTINGS["dim16"], module.SAMPLERS["ddim-50"]
    pictures = torch.rand(200, 1, SIZE_PX, SIZE_PX)
    # Its dataset reads files; its loader's workers would be as many processes as processors.
    package.Dataset = lambda *_, **__: TensorDataset(pictures)
    package.cpu_count = lambda: 0
    torch.manual_seed(SEED)
    theirs = module.build(setting, sampler)
    with tempfile.TemporaryDirectory() as folder:
        trainer = package.Trainer(
            theirs.diffusion,
            folder,
            train_batch_size=setting.batch_size,
            train_lr=setting.learning_rate,
            train_num_steps=12,
            calculate_fid=False,
            results_folder=folder,
        )
        batches = [batch for (batch,) in islice(trainer.dl, 12)]
        trainer.dl = iter(batches)
        torch.manual_seed(SEED + 1)
        trainer.train()
    torch.manual_seed(SEED)
    ours = module.build(setting, sampler)
    torch.manual_seed(SEED + 1)
    for batch in batches:
        ours.train_step(batch, 0.0)
    averages = ours.ema.ema_model.state_dict(), trainer.ema.ema_model.state_dict()
    return same(ours.network.state_dict(), theirs.network.state_dict()) and same(*averages)


def main() -> None:
    torch.set_num_threads(1)
    answers = {f"smalldiffusion {name}": smalldiffusion(name) for name in ("eps", "x0", "flow")}
    answers["denoising-diffusion-pytorch"] = lucidrains()
    for name, answer in answers.items():
        print(f"{name}: {'the same' if answer else 'DIFFERENT'}")
    if not all(answers.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
