"""A recipe that learns in milliseconds, for tests of the trainer: a line through points, with chance in its loss."""

import numpy as np
import torch
from torch import nn

from core.errors import PanoError
from training import recipes
from training.config import TrainConfig
from training.pool import Pool
from training.recipes.base import Headline, Recipe, Shipped


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(16, 16)

    def forward(self, x):
        return x + torch.tanh(self.linear(x))


class TinyNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 16)
        self.norm = nn.BatchNorm1d(1)
        self.blocks = nn.ModuleList(Block() for _ in range(2))
        self.last = nn.Linear(16, 1)
        self.rarely = nn.Linear(16, 1)
        self.frozen = nn.Linear(3, 3).requires_grad_(False)
        self.drop = nn.Dropout(0.1)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def encode(self, x):
        # Over samples and features: one sample alone has a mean, too.
        x = self.norm(self.first(x)[:, None])[:, 0]
        for block in self.blocks:
            x = block(x)
        return self.drop(x)


class TinyRecipe(Recipe):
    """Files are texts with a number; 'bad' cannot be read, 'nan' is not finite."""

    name = "tiny"
    headline = Headline("error", higher_is_better=False)
    blocks = (Block,)

    def __init__(self, config):
        super().__init__()
        self._config = config

    def build(self):
        return TinyNet()

    def open(self):
        folder = self._config.out.parent / "points"
        self.pools["points"] = Pool(lambda: sorted(folder.glob("*.txt")), folder)

    def load(self, draw):
        numbers = draw.many(self.pools["points"].at(draw.step), self._config.batch, read)
        x = torch.tensor(numbers, dtype=torch.float32)[:, None] + torch.from_numpy(
            draw.rng.normal(size=(len(numbers), 4)).astype(np.float32)
        )
        return {"x": x, "y": x.sum(dim=1, keepdim=True)}

    def loss(self, network, batch):
        seen = network.encode(batch["x"])
        # As click-s, whose sequences use what its single views do not.
        head = network.rarely if batch.step % 3 == 2 else network.last
        loss = (head(seen) - batch["y"]).square().mean()
        return loss, {"twice": 2 * loss}

    @torch.no_grad()
    def evaluate(self, network):
        network.eval()
        x = torch.linspace(-1, 1, 32).reshape(8, 4)
        error = float((network.last(network.encode(x)) - x.sum(dim=1, keepdim=True)).abs().mean())
        network.train()
        return {"error": error}

    def panels(self, network):
        return {"grey": np.full((4, 8, 3), 128, np.uint8)}

    def ship(self, network):
        return Shipped(model="tiny", stem="tiny", metadata={}, about="", data=[])


def read(path):
    text = path.read_text()
    if text == "bad":
        raise PanoError(f"Expected a number, got something else: {path}")
    return float(text)


def write_points(folder, texts):
    (folder / "points").mkdir()
    for number, text in enumerate(texts):
        (folder / "points" / f"{number:03d}.txt").write_text(text)


recipes.RECIPES["tiny"] = recipes.RecipeSpec("nothing", "tiny_recipe", "TinyRecipe", "TrainConfig")

if __name__ == "__main__":
    # As a process of its own: FOLDER and changes of the configuration as name=value of Python.
    import json
    import sys
    from pathlib import Path

    from training.trainer import train

    out, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
    resume = settings.pop("resume", False)
    rows = []
    train("tiny", TrainConfig(out=out, device="cpu", **settings), resume=resume, report=rows.append)
    if rows:
        (out / "rows.json").write_text(json.dumps(rows))
