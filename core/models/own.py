"""Models that the user brings: what `panoviewer-train export` wrote, a file of weights with its card beside it.

One is used by its place. Folders of such models within the folder of added weights are lines of the catalogue, too, by
the folder's name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ModelUnavailable
from core.models.perspective_folder import is_hub_name

if TYPE_CHECKING:
    from core.models import ModelSpec

WEIGHTS_SUFFIX = ".safetensors"
CARD_SUFFIX = ".json"
MAX_CARD_BYTES = 4 << 20
_SHOWN = 40
_LONGEST = 300


def is_place(choice: str) -> bool:
    """True when a choice of a model is meant as a place on the disk and not as a name."""
    return "/" in choice or "\\" in choice or choice.endswith(WEIGHTS_SUFFIX) or os.path.exists(choice)


def find_own_model(place: Path, known: Sequence[ModelSpec]) -> ModelSpec:
    """What a folder or a file of weights holds, as a line of the catalogue.

    The card beside the weights says of which kind they are; everything else is that kind's. The weights are not read.

    Args:
        place: A folder with one file of weights, or such a file.
        known: The kinds that there are.

    Raises:
        ModelUnavailable: There is no such place, not exactly one file of weights, or no card that names a known kind.
    """
    weights = _weights(place, known)
    card = weights.with_suffix(CARD_SUFFIX)
    facts = _facts(card)
    kind = str(facts["model"])
    licence, parameters = facts.get("licence"), facts.get("parameters")
    for spec in known:
        if spec.name == kind:
            is_other = isinstance(parameters, int) and parameters != spec.parameters
            return replace(
                spec,
                title=f"{spec.title}, weights of {weights.name}",
                weights=weights.name,
                folder=weights.absolute().parent,
                source="weights of the user's own",
                licence=licence[:_LONGEST] if isinstance(licence, str) else "unknown",
                # What is known of the kind's own size says nothing about another one.
                parameters=parameters if isinstance(parameters, int) else spec.parameters,
                operations=0.0 if is_other else spec.operations,
                peak_bytes=0 if is_other else spec.peak_bytes,
            )
    names = ", ".join(spec.name for spec in known)
    raise ModelUnavailable(f"Expected a card of one of the models {names}, got {kind[:_SHOWN]!r}: {card}")


def own_models(folder: Path, known: Sequence[ModelSpec]) -> tuple[ModelSpec, ...]:
    """The models of the user's own that lie in a folder, each in a folder of its own, whose name is the model's.

    Args:
        folder: That of added weights; it may not exist.
        known: The kinds that there are, whose names cannot be taken.
    """
    taken = {spec.name for spec in known}
    try:
        places = sorted(place for place in folder.iterdir() if place.is_dir() and place.name not in taken)
    except OSError:
        return ()
    found = []
    for place in places:
        try:
            spec = find_own_model(place, known)
        except ModelUnavailable:
            continue  # something else; used by its place, it says what
        found.append(replace(spec, name=place.name, title=f"{place.name} ({spec.name})"))
    return tuple(found)


def _weights(place: Path, known: Sequence[ModelSpec]) -> Path:
    try:
        if place.is_dir():
            found = sorted(path for path in place.iterdir() if path.suffix == WEIGHTS_SUFFIX)
            if len(found) == 1:
                return found[0]
            raise ModelUnavailable(
                f"Expected a folder with one {WEIGHTS_SUFFIX} file, got {len(found)} of them; name the file: {place}"
            )
        is_there = place.exists()
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"Expected a folder with a model, got one that cannot be read: {place}") from error
    if is_there and place.suffix == WEIGHTS_SUFFIX:
        return place
    names = ", ".join(spec.name for spec in known)
    got = "another file" if is_there else "nothing"
    if not is_there and is_hub_name(str(place)):
        got = f"nothing there that was fetched, which 'panoviewer models pull {place}' or 'hf download {place}' does"
    raise ModelUnavailable(
        f"Expected one of the models {names}, a folder or a {WEIGHTS_SUFFIX} file, got {got}: {place}"
    )


def _facts(card: Path) -> dict[str, object]:
    """What the card says, the name of a model at least."""
    try:
        if not card.is_file() or card.stat().st_size > MAX_CARD_BYTES:
            raise ValueError("no file of a card's size")
        facts: dict[str, object] = json.loads(card.read_bytes())
        if not isinstance(facts["model"], str):
            raise TypeError("the name is no text")
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelUnavailable(
            f"Expected a card beside the weights that names their model, got none; export the model again: {card}"
        ) from error
    return facts
