"""A built world becomes a panorama with exact labels: rays, light, bounces, mirrors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.geometry.sphere import directions_to_erp, erp_angles, erp_rays, erp_to_directions
from training.worlds.builder import Geometry, SceneBuilder
from training.worlds.classes import CLASS_NAMES
from training.worlds.develop import develop
from training.worlds.edges import edge_mask
from training.worlds.kernels import find_edges, match_neighbours, sample_lamps, shade_albedo, smooth, upsample
from training.worlds.lighting import Lamp, Lighting
from training.worlds.patterns import PatternBank
from training.worlds.sample import WorldSample
from training.worlds.sampling import cosine_directions, interleaved, tangents
from training.worlds.tracing import Hits, Tracer

Array = NDArray[np.float32]

_COARSE = 4
_BOUNCES = 24
_LAMP_PICKS = 2
_SKIN = 2e-3
_SUBPIXELS = ((-0.125, -0.375), (0.375, -0.125), (-0.375, 0.125), (0.125, 0.375))
_GROUND = {CLASS_NAMES.index(name) for name in ("floor", "road", "sidewalk", "grass", "earth", "stairs", "water")}
_CEILING = CLASS_NAMES.index("ceiling")


@dataclass(frozen=True, eq=False)
class _Surfaces:
    """The pixels' surfaces, flat (n, ...): where they are and what they reflect."""

    points: Array
    normals: Array
    albedo: Array
    emission: Array
    hit: NDArray[np.bool_]


def render(
    builder: SceneBuilder,
    camera_position: ArrayLike,
    lighting: Lighting,
    *,
    height: int,
    width: int,
    rng: np.random.Generator,
    indoor: bool,
    seed: int = 0,
    yaw: float | None = None,
    faults: bool = True,
) -> WorldSample:
    """The panorama that a camera sees, with exact labels.

    Args:
        builder: The world.
        camera_position: (3,) in the ground frame (y down).
        lighting: Lamps, sun, sky, exposure key.
        height: Rows, a multiple of 4.
        width: Columns, a multiple of 4.
        rng: Random numbers for light samples, exposure and faults.
        indoor: Whether the camera is inside a building.
        seed: Noted in the sample.
        yaw: Direction of the picture's middle in the ground frame, radians; None: random.
        faults: Whether noise, blur, stitching faults and nadir patches may occur (colour only).

    Returns:
        The sample; its world frame is centred at the camera and turned by the yaw.
    """
    geometry = builder.build()
    turn = rng.uniform(-np.pi, np.pi) if yaw is None else yaw
    scene = _Scene(geometry, np.asarray(camera_position, np.float32), float(turn), lighting, height, width, indoor)
    hits = scene.tracer.trace(scene.camera, scene.rays.reshape(-1, 3))
    radiance = scene.radiance(hits, rng)
    rgb = develop(radiance.reshape(height, width, 3), rng, key=lighting.key, faults=faults)
    far = hits.front < 0
    normals = scene.facing_normals(hits.front, scene.rays.reshape(-1, 3))
    normals = _turned(normals, -scene.turn)
    normals[far] = np.nan
    below, above = scene.vertical_extent()
    depth = np.where(far, np.float32(np.nan), hits.front_range).reshape(height, width)
    normals = normals.reshape(height, width, 3)
    return WorldSample(
        rgb=rgb,
        depth=depth,
        normals=normals,
        classes=np.where(far, CLASS_NAMES.index("sky"), geometry.label[hits.front])
        .astype(np.uint8)
        .reshape(height, width),
        instances=np.where(far, 0, geometry.instance[hits.front]).astype(np.uint16).reshape(height, width),
        far=far.reshape(height, width),
        camera_height=below,
        ceiling_height=above if indoor else float("nan"),
        indoor=indoor,
        seed=seed,
        edges=edge_mask(depth, normals, far.reshape(height, width)),
    )


@lru_cache(maxsize=1)
def pattern_bank() -> PatternBank:
    """The bank of this process."""
    return PatternBank()


class _Scene:
    """One world seen from one place."""

    def __init__(
        self, geometry: Geometry, camera: Array, turn: float, lighting: Lighting, height: int, width: int, indoor: bool
    ) -> None:
        self.geometry, self.camera, self.turn, self.lighting = geometry, camera, turn, lighting
        self.height, self.width, self.indoor = height, width, indoor
        self.tracer = Tracer(geometry)
        self.rays = _turned(erp_rays(height, width), turn)
        bank = pattern_bank()
        self._table = np.array(
            [
                (*material.albedo, bank.slot(material.pattern), material.contrast, material.wear, material.scale)
                for material in geometry.materials
            ],
            np.float32,
        )
        self._stains = bank.slot("clouds")
        means = np.stack([bank.mean(material.pattern) for material in geometry.materials])
        self._mean_albedo = np.clip(self._table[:, :3] * (1 + self._table[:, 4:5] * (means - 1)), 0, 0.97)
        self._emission = np.array([material.emission for material in geometry.materials], np.float32)
        self._gloss = np.array([(material.gloss, material.roughness) for material in geometry.materials], np.float32)
        self._atlas = bank.atlas

    def facing_normals(self, triangle: NDArray[np.int64], rays: Array) -> Array:
        """(n, 3) normals of triangles, against the rays; zero for none."""
        normals = self.geometry.normals[triangle]
        away = np.einsum("ij,ij->i", normals, rays) > 0
        normals = np.where(away[:, None], -normals, normals)
        normals[triangle < 0] = 0
        return normals

    def vertical_extent(self) -> tuple[float, float]:
        """Metres from the camera down to the ground and up to the ceiling; NaN where there is no ceiling."""
        below = self._range_to(np.array([[0, 1, 0]], np.float32), _GROUND)
        above = self._range_to(np.array([[0, -1, 0]], np.float32), {_CEILING})
        return float(-self.camera[1]) if np.isnan(below) else below, above

    def radiance(self, hits: Hits, rng: np.random.Generator) -> Array:
        """Linear RGB (h, w, 3) of the primary rays, edges anti-aliased."""
        shape = (self.height, self.width)
        rays = self.rays.reshape(-1, 3)
        seen = self._surfaces(hits, rays)
        outside = hits.through_pane if self.indoor else np.ones(len(rays), bool)
        reach = np.where(seen.hit, hits.surface_range, 0).astype(np.float32)
        irradiance = self._direct(seen, reach, rng)
        irradiance = irradiance + self._bounced(seen, hits, reach, irradiance, outside, rng)
        irradiance += np.asarray(self.lighting.ambient, np.float32)
        colour = self._compose(seen, irradiance, rays, hits)
        mirror, share = self._mirrored(hits, rays, colour, rng)
        colour = colour * (1 - share) + mirror * share
        reflected = (mirror * share, 1 - share)
        self._smooth_edges(colour, seen, hits, irradiance, reflected, reach.reshape(shape))
        return colour.reshape(*shape, 3)

    def _surfaces(self, hits: Hits, rays: Array) -> _Surfaces:
        hit = hits.surface >= 0
        reach = np.where(hit, hits.surface_range, 0).astype(np.float32)
        points = self.camera + rays * reach[:, None]
        normals = self.facing_normals(hits.surface, rays)
        tilt = np.abs(np.einsum("ij,ij->i", normals, rays))
        # Between the short and the long side of a slanted pixel: less blur than the long, less noise than the short.
        footprint = reach * np.float32(np.pi / self.height) / np.sqrt(np.maximum(tilt, 0.03))
        albedo = shade_albedo(
            points.astype(np.float32),
            hits.surface,
            footprint.astype(np.float32),
            self.geometry.texture_u,
            self.geometry.texture_v,
            self.geometry.material,
            self._table,
            self._atlas,
            self._stains,
        )
        material = np.where(hit, self.geometry.material[hits.surface], 0)
        emission = np.where(hit[:, None], self._emission[material], 0) * albedo
        return _Surfaces(points.astype(np.float32), normals, albedo, emission.astype(np.float32), hit)

    def _direct(self, seen: _Surfaces, reach: Array, rng: np.random.Generator) -> Array:
        """Irradiance (n, 3) straight from lamps and sun."""
        count = len(reach)
        shape = (self.height, self.width)
        grid_points, grid_normals = seen.points.reshape(*shape, 3), seen.normals.reshape(*shape, 3)
        total = np.zeros((count, 3), np.float32)
        origins = seen.points + seen.normals * (_SKIN + 5e-4 * reach[:, None])
        if self.lighting.lamps:
            chance = np.stack([interleaved(*shape, 6, 3, rng) for _ in range(_LAMP_PICKS)], 1)
            table = np.array([_lamp_row(lamp) for lamp in self.lighting.lamps], np.float32)
            target, light = sample_lamps(seen.points, seen.normals, seen.hit, table, chance, _LAMP_PICKS)
            for pick in range(_LAMP_PICKS):
                lit = np.flatnonzero(light[:, pick].max(1) > 0)
                start = origins[lit]
                blocked = self.tracer.is_blocked(start, target[lit, pick] - start, until=0.998)
                free = lit[~blocked]
                total[free] += light[free, pick]
            image = total.reshape(*shape, 3)
            for step in (1, 2):
                image = smooth(image, grid_points, grid_normals, reach.reshape(shape), step)
            total = image.reshape(-1, 3)
        sun = self.lighting.sun
        if sun is not None:
            towards = np.asarray(sun.direction, np.float32)
            facing = seen.normals @ towards
            lit = np.flatnonzero((facing > 0) & seen.hit)
            wander = (interleaved(*shape, 6, 3, rng)[lit] - 0.5) * np.float32(2 * sun.radius)
            blocked = self.tracer.is_blocked(origins[lit], towards + wander, until=np.inf)
            share = np.zeros((count, 3), np.float32)
            free = lit[~blocked]
            share[free] = facing[free, None] * np.asarray(sun.irradiance, np.float32)
            # One narrow pass: shadows of the sun keep their edges, without stairs.
            total += smooth(share.reshape(*shape, 3), grid_points, grid_normals, reach.reshape(shape), 1).reshape(-1, 3)
        return total

    def _bounced(
        self,
        seen: _Surfaces,
        hits: Hits,
        reach: Array,
        direct: Array,
        outside: NDArray[np.bool_],
        rng: np.random.Generator,
    ) -> Array:
        """Irradiance (n, 3) from lit surfaces and the sky, gathered coarsely, three bounces deep."""
        shape = (self.height, self.width)
        rows = np.arange(_COARSE // 2, self.height, _COARSE)
        columns = np.arange(_COARSE // 2, self.width, _COARSE)
        chosen = (rows[:, None] * self.width + columns).ravel()
        points, normals = seen.points[chosen], seen.normals[chosen]
        count = len(chosen)
        directions = cosine_directions(
            normals, interleaved(len(rows), len(columns), 3, 2, rng, stride=_BOUNCES), _BOUNCES
        )
        starts = np.repeat(points + normals * (_SKIN + 1e-3 * reach[chosen, None]), _BOUNCES, axis=0)
        triangle, distance = self.tracer.trace_solid(starts, directions)
        missed = triangle < 0
        pixel, visible = self._pixel_of(starts + directions * np.where(missed, 0, distance)[:, None], hits)
        material = self.geometry.material[np.where(missed, 0, triangle)]
        hidden = self._mean_albedo[material] / np.float32(np.pi)
        open_sky = missed & np.repeat(outside[chosen], _BOUNCES)
        sky = np.zeros((len(triangle), 3), np.float32)
        if open_sky.any():
            sky[open_sky] = self.lighting.sky(directions[open_sky])
        grid = (len(rows), len(columns), 3)
        coarse_points, coarse_normals = points.reshape(grid), normals.reshape(grid)
        # Between the bounces, a hit's own light from bounces is that of its coarse cell.
        cell = (pixel // self.width // _COARSE) * len(columns) + pixel % self.width // _COARSE
        reflect = np.where(visible[:, None], seen.albedo[pixel] / np.float32(np.pi), hidden)
        weight = np.cos(erp_angles(self.height, self.width)[1][rows]).astype(np.float32)
        weights = np.repeat(weight, len(columns))[:, None] * seen.hit[chosen, None]
        total = max(float(weights.sum()), 1e-6)
        # What the camera cannot see is lit like the average of what it sees, a little less.
        first_average = 0.6 * (direct[chosen] * weights).sum(0) / total
        lit = np.where(visible[:, None], direct[pixel], first_average) * reflect
        mean = np.zeros((count, 3), np.float32)
        for _ in range(3):
            average = 0.6 * (mean * weights).sum(0) / total
            incoming = lit + reflect * np.where(visible[:, None], mean[cell], average)
            incoming = np.where(missed[:, None], sky, incoming)
            # A sunlit spot that one ray in a thousand finds would be a blotch instead of a faint glow.
            incoming = np.minimum(incoming, 12 * incoming.mean(0) + 1e-6)
            mean = incoming.reshape(count, _BOUNCES, 3).mean(1) * np.float32(np.pi)
        coarse = smooth(mean.reshape(grid), coarse_points, coarse_normals, reach[chosen].reshape(grid[:2]), 1)
        gathered: Array = upsample(
            coarse,
            coarse_points,
            coarse_normals,
            seen.points.reshape(*shape, 3),
            seen.normals.reshape(*shape, 3),
            reach.reshape(shape),
            _COARSE,
        ).reshape(-1, 3)
        return gathered

    def _compose(self, seen: _Surfaces, irradiance: Array, rays: Array, hits: Hits) -> Array:
        colour = seen.albedo * irradiance / np.float32(np.pi) + seen.emission
        sky = ~seen.hit
        if sky.any():
            colour[sky] = self.lighting.sky(rays[sky])
        if self.lighting.fog is not None:
            tint, length = self.lighting.fog
            clear = np.exp(-np.where(seen.hit, hits.surface_range, 0) / length)[:, None].astype(np.float32)
            colour = colour * clear + (1 - clear) * np.asarray(tint, np.float32)
        gain = np.where(hits.through_pane, np.float32(self.lighting.pane_gain), np.float32(1))
        return (colour * gain[:, None]).astype(np.float32)

    def _mirrored(self, hits: Hits, rays: Array, colour: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        """What glossy pixels mirror (n, 3), and its share (n, 1) of the pixel."""
        mirror = np.zeros_like(colour)
        share = np.zeros((len(colour), 1), np.float32)
        front = hits.front
        material = self.geometry.material[np.maximum(front, 0)]
        glossy = np.flatnonzero((front >= 0) & (self._gloss[material, 0] > 0.005))
        if len(glossy) == 0:
            return mirror, share
        normals = self.facing_normals(front[glossy], rays[glossy])
        cosine = -np.einsum("ij,ij->i", normals, rays[glossy])
        gloss, roughness = self._gloss[material[glossy]].T
        roughness = np.where(roughness > 0.015, roughness, 0)
        # Schlick's approximation; a rough surface is less of a mirror at grazing angles.
        fresnel = gloss + (np.maximum(1 - roughness, gloss) - gloss) * (1 - cosine) ** 5
        directions = rays[glossy] + 2 * cosine[:, None] * normals
        pair = interleaved(self.height, self.width, 6, 2, rng)[glossy]
        first, second = tangents(directions)
        spread, angle = np.sqrt(pair[:, :1]) * roughness[:, None], pair[:, 1:] * np.float32(2 * np.pi)
        directions += spread * (np.cos(angle) * first + np.sin(angle) * second)
        below = np.einsum("ij,ij->i", normals, directions) < 0.02
        directions[below] += normals[below] * 0.2
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        reach = hits.front_range[glossy]
        starts = self.camera + rays[glossy] * reach[:, None] + normals * (_SKIN + 1e-3 * reach[:, None])
        met = self.tracer.trace(starts.astype(np.float32), directions.astype(np.float32))
        missed = met.front < 0
        pixel, visible = self._pixel_of(
            starts + directions * np.where(missed, 0, met.front_range)[:, None], hits, front=True
        )
        solid = np.maximum(met.front, 0)
        level = float(np.median(colour))
        unseen = (
            self._mean_albedo[self.geometry.material[solid]] * level + self._emission[self.geometry.material[solid]]
        )
        seen = np.where(visible[:, None], colour[pixel], unseen)
        if missed.any():
            seen[missed] = self.lighting.sky(directions[missed].astype(np.float32))
        # A lamp that a few scattered rays hit would be sparks; a real floor shows a soft glow.
        ceiling = 2.5 * float(np.percentile(colour, 90)) + 1e-6
        limit = np.where(roughness > 0, ceiling, np.inf)[:, None]
        mirror[glossy] = np.minimum(seen, limit)
        share[glossy, 0] = fresnel
        shape = (self.height, self.width)
        rough = np.zeros(len(colour), bool)
        rough[glossy] = roughness > 0
        if rough.any():
            reach = np.where(front >= 0, hits.front_range, 0).astype(np.float32)
            points = (self.camera + rays * reach[:, None]).astype(np.float32).reshape(*shape, 3)
            facing = self.facing_normals(front, rays).reshape(*shape, 3)
            blurred = mirror.reshape(*shape, 3)
            for step in (1, 2):
                blurred = smooth(blurred, points, facing, reach.reshape(shape), step)
            mirror = np.where(rough[:, None], blurred.reshape(-1, 3), mirror)
        return mirror, share

    def _smooth_edges(
        self,
        colour: Array,
        seen: _Surfaces,
        hits: Hits,
        irradiance: Array,
        reflected: tuple[Array, Array],
        reach: Array,
    ) -> None:
        """Replace pixels on edges by the mean of four rays each, lit like the pixel beside that shows their surface."""
        shape = (self.height, self.width)
        grid_points, grid_normals = seen.points.reshape(*shape, 3), seen.normals.reshape(*shape, 3)
        material = np.where(seen.hit, self.geometry.material[hits.surface], -1)
        # Seen through a pane is another surface than the same one beside it.
        kind = (material + (hits.through_pane & seen.hit) * 100_000).astype(np.int64)
        edges = np.flatnonzero(find_edges(grid_points, grid_normals, reach, kind.reshape(shape)))
        if len(edges) == 0:
            return
        rows, columns = np.divmod(edges, self.width)
        rows, columns = np.tile(rows, 4), np.tile(columns, 4)
        shift = np.repeat(np.array(_SUBPIXELS), len(edges), axis=0)
        rays = erp_to_directions(columns + 0.5 + shift[:, 0], rows + 0.5 + shift[:, 1], *shape).astype(np.float32)
        rays = _turned(rays, self.turn)
        sub_hits = self.tracer.trace(self.camera, rays)
        sub = self._surfaces(sub_hits, rays)
        sub_material = np.where(sub.hit, self.geometry.material[sub_hits.surface], -1)
        sub_kind = (sub_material + (sub_hits.through_pane & sub.hit) * 100_000).astype(np.int64)
        source = match_neighbours(
            sub.points, sub.normals, sub_kind, rows, columns, grid_points, grid_normals, kind.reshape(shape)
        )
        sub_colour = (
            self._compose(sub, irradiance[source], rays, sub_hits) * reflected[1][source] + reflected[0][source]
        )
        # A blown-out lamp must not swallow its whole edge.
        limit = 4 * float(np.percentile(colour, 95)) + 1e-6
        colour[edges] = np.minimum(sub_colour, limit).reshape(4, len(edges), 3).mean(0)

    def _pixel_of(
        self, points: Array, hits: Hits, *, front: bool = False
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The pixels (n,) in which points lie, and whether the camera sees them there."""
        offset = points - self.camera
        distance = np.sqrt(np.einsum("ij,ij->i", offset, offset))
        u, v = directions_to_erp(_turned(offset, -self.turn), self.height, self.width)
        column = np.minimum(u.astype(np.int64), self.width - 1)
        row = np.clip(v.astype(np.int64), 0, self.height - 1)
        pixel = row * self.width + column
        known = (hits.front_range if front else hits.surface_range)[pixel]
        return pixel, np.abs(known - distance) < 0.05 + 0.03 * distance

    def _range_to(self, direction: Array, labels: set[int]) -> float:
        """Range along one (1, 3) direction to the first surface with one of the labels; NaN if there is none."""
        start, travelled = self.camera.copy(), 0.0
        for _ in range(32):
            triangle, distance = self.tracer.trace_solid(start, direction)
            if triangle[0] < 0:
                break
            travelled += float(distance[0])
            if int(self.geometry.label[triangle[0]]) in labels:
                return travelled
            travelled += 1e-4
            start = self.camera + direction[0] * np.float32(travelled)
        return float("nan")


def _lamp_row(lamp: Lamp) -> tuple[float, ...]:
    facing = lamp.facing or (0.0, 0.0, 0.0)
    return (*lamp.center, *lamp.half_u, *lamp.half_v, *lamp.power, *facing, lamp.focus if lamp.facing else 0.0)


def _turned(vectors: NDArray[np.floating], yaw: float) -> Array:
    """(..., 3) vectors turned to the right about the vertical."""
    c, s = np.float32(np.cos(yaw)), np.float32(np.sin(yaw))
    turned = np.empty(vectors.shape, np.float32)
    turned[..., 0] = c * vectors[..., 0] + s * vectors[..., 2]
    turned[..., 1] = vectors[..., 1]
    turned[..., 2] = c * vectors[..., 2] - s * vectors[..., 0]
    return turned
