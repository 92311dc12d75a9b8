"""One file per model that can be trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from core.errors import PanoError
from training.config import TrainConfig
from training.recipes.base import Recipe
from training.recipes.click_s import ClickSRecipe
from training.recipes.pano_s import PanoSRecipe

RECIPES: Mapping[str, Callable[[TrainConfig], Recipe]] = {
    PanoSRecipe.name: PanoSRecipe,
    ClickSRecipe.name: ClickSRecipe,
}


def make_recipe(name: str, config: TrainConfig) -> Recipe:
    """The recipe of a model that can be trained.

    Raises:
        PanoError: There is none of that name.
    """
    if name not in RECIPES:
        raise PanoError(
            f"Expected a model that can be trained ({', '.join(RECIPES)}), got '{name}'. Choose one of these."
        )
    return RECIPES[name](config)
