"""One file per model that can be trained; each is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from core.errors import PanoError

if TYPE_CHECKING:
    from training.config import TrainConfig
    from training.recipes.base import Recipe


@dataclass(frozen=True)
class RecipeSpec:
    """A line of the list of recipes.

    Attributes:
        summary: What it trains, in a few words.
        module: Where it stands.
        recipe: Name of the `Recipe` there.
        config: Name of the frozen dataclass there, a `TrainConfig` with the recipe's own fields, one commented line
            each; the command line's flags are generated from it.
    """

    summary: str
    module: str
    recipe: str
    config: str

    def config_class(self) -> type[TrainConfig]:
        """The class of its configuration."""
        kind: type[TrainConfig] = getattr(import_module(self.module), self.config)
        return kind

    def make(self, config: TrainConfig) -> Recipe:
        """The recipe; nothing is read."""
        recipe: Recipe = getattr(import_module(self.module), self.recipe)(config)
        return recipe


RECIPES: Mapping[str, RecipeSpec] = {
    "pano-s": RecipeSpec(
        "the bundled network for depth, normals and classes", "training.recipes.pano_s", "PanoSRecipe", "PanoSTraining"
    ),
    "click-s": RecipeSpec(
        "the bundled network for clicks", "training.recipes.click_s", "ClickSRecipe", "ClickSTraining"
    ),
    "sap": RecipeSpec(
        "click segmenters that follow the zigzag: SAM 2.1 and click-s",
        "training.recipes.sap",
        "SapRecipe",
        "SapTraining",
    ),
    "dap": RecipeSpec("Depth Any Panoramas: metric depth", "training.recipes.dap", "DapRecipe", "DapTraining"),
    "mtpano": RecipeSpec(
        "MTPano: depth, normals and classes", "training.recipes.mtpano", "MtpanoRecipe", "MtpanoTraining"
    ),
}


def find_recipe(name: str) -> RecipeSpec:
    """The line of a recipe.

    Raises:
        PanoError: There is none of that name.
    """
    if name not in RECIPES:
        raise PanoError(
            f"Expected a model that can be trained ({', '.join(RECIPES)}), got '{name}'. Choose one of these."
        )
    return RECIPES[name]


def recipe_of_run(state: Mapping[str, Any]) -> Recipe:
    """The recipe of a checkpoint, with the run's configuration; nothing is read.

    Raises:
        PanoError: This version has no such recipe.
    """
    from training.config import config_of

    spec = find_recipe(str(state["recipe"]))
    return spec.make(config_of(spec.config_class(), state["config"]))
