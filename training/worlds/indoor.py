"""Interiors: a main room with its neighbours, doors, windows, light and furniture."""

from __future__ import annotations

import numpy as np

from training.worlds.builder import SceneBuilder
from training.worlds.exterior import build_exterior, day_sky
from training.worlds.furniture import MOVABLE, PIECES, Piece
from training.worlds.furniture_decor import painting
from training.worlds.halls import build_large_interior
from training.worlds.indoor_styles import STYLES
from training.worlds.lamps import ceiling_lamps, lamp_colour, wall_lamp
from training.worlds.lighting import GradientSky, Lamp, Lighting
from training.worlds.materials import triple
from training.worlds.openings import build_blind, build_curtains, build_door, build_radiator, build_trim, build_window
from training.worlds.palette import Palette, make_palette
from training.worlds.placement import Floorplan
from training.worlds.room_parts import beams, columns, ducts, skylights, sloped_ceiling, trusses
from training.worlds.rooms import Float, Opening, Room, build_shell, clearance, inside, overlaps, sample_plan
from training.worlds.style import Style

Rng = np.random.Generator
Vector = tuple[float, float, float]

LARGE_SHARE = 0.3
"""How many of the interiors are those of `halls`."""
EXTRAS = (("person", 2), ("curtain", 1), ("sofa", 1), ("stack", 2), ("stairs", 1))
"""Pieces that any furnished room may have besides those of its style, with their most."""


def build_indoor(rng: Rng) -> tuple[SceneBuilder, Vector, Lighting]:
    """A random interior.

    Returns:
        The scene, the camera's position (x, y, z) in the ground frame, and the light.
    """
    if rng.random() < LARGE_SHARE:
        return build_large_interior(rng)
    names = list(STYLES)
    weights = np.array([STYLES[name].weight for name in names])
    style = STYLES[names[int(rng.choice(len(names), p=weights / weights.sum()))]]
    return _Interior(rng, style).build()


class _Interior:
    def __init__(self, rng: Rng, style: Style) -> None:
        self.rng, self.style = rng, style
        self.builder = SceneBuilder(rng)
        self.lamps: list[Lamp] = []
        self.rooms: list[Room] = []

    def build(self) -> tuple[SceneBuilder, Vector, Lighting]:
        rng, style = self.rng, self.style
        palette = self._palette()
        camera_height = float(np.clip(rng.normal(1.5, 0.15), 1.1, 2.0) if rng.random() < 0.6 else rng.uniform(0.6, 2.2))
        height = max(camera_height * (1 + rng.uniform(*style.tall)), camera_height + 0.3, 1.9)
        plan = sample_plan(rng, rng.uniform(*style.width), rng.uniform(*style.depth))
        main = Room(plan, height, palette, thickness=float(rng.uniform(0.1, 0.45)))
        if rng.random() < 0.3:
            main.accents = {int(edge) for edge in rng.choice(len(plan), size=int(rng.integers(1, 3)), replace=False)}
        self.rooms.append(main)
        self.day = bool(rng.random() < style.daylight)
        sky, sun = (
            day_sky(rng)
            if self.day
            else (GradientSky((0.002, 0.003, 0.006), (0.01, 0.008, 0.006), (0.002, 0.002, 0.002)), None)
        )
        self.sky = sky
        camera = self._camera_place(main)
        self._connect(main, depth=0)
        self._shut_doors(main)
        windows = self._windows(main, int(rng.integers(style.windows[0], style.windows[1] + 1)))
        for room in self.rooms[1:]:
            if rng.random() < 0.6:
                windows += self._windows(room, int(rng.integers(0, 3)))
        sloped = sloped_ceiling(self.builder, rng, main)
        for room in self.rooms:
            build_shell(self.builder, room, rng, skip_ceiling=sloped and room is main)
            self._fill_openings(room)
        if windows or self.day:
            reach = max(float(np.abs(room.plan).max()) for room in self.rooms)
            build_exterior(self.builder, rng, reach * 1.45 + 1.0)
        self._overhead(main, sloped=sloped)
        shining = self.day and (windows > 0 or bool(self.lamps))
        self._light(main, shining=shining)
        self._furnish(main, camera)
        position = (float(camera[0]), -camera_height, float(camera[1]))
        level = 0.003 if shining else 0.001
        lighting = Lighting(
            sky=sky,
            lamps=tuple(self.lamps),
            sun=sun if shining else None,
            ambient=(level, level, level),
            pane_gain=float(np.exp(rng.uniform(np.log(0.08), 0.0))) if rng.random() < 0.7 else 1.0,
            key=float(rng.uniform(*style.key)),
        )
        return self.builder, position, lighting

    def _palette(self) -> Palette:
        rng, style = self.rng, self.style
        return make_palette(
            rng,
            walls=str(rng.choice(style.walls)),
            floors=str(rng.choice(style.floors)),
            ceiling=str(rng.choice(style.ceilings)),
        )

    def _camera_place(self, room: Room) -> Float:
        low, high = room.plan.min(0), room.plan.max(0)
        points = self.rng.uniform(low, high, (400, 2))
        points = points[inside(room.plan, points)]
        free = clearance(room.plan, points)
        wanted = self.rng.uniform(0.35, 1.6)
        good = points[free > min(wanted, 0.8 * float(free.max()))]
        place: Float = good[0]
        return place

    def _connect(self, room: Room, depth: int) -> None:
        """Neighbouring rooms behind some walls, through passages or open doors."""
        rng = self.rng
        for edge in rng.permutation(len(room.plan)):
            length = room.edge(int(edge))[2]
            if length < 1.4 or rng.random() > (0.4 if depth == 0 else 0.3):
                continue
            wide = rng.random() < 0.45
            width = float(rng.uniform(1.0, max(1.05, min(length * 0.7, 4.0))) if wide else rng.uniform(0.75, 1.0))
            starts = room.free_stretches(int(edge), width)
            if not starts:
                continue
            start = starts[int(rng.integers(len(starts)))]
            top = float(min(rng.uniform(2.0, 2.3) if rng.random() < 0.8 else room.height, room.height - 0.05))
            neighbour = self._neighbour(room, int(edge), start, width)
            if neighbour is None:
                continue
            # An opening higher than the room behind would look over its ceiling.
            top = min(top, neighbour[0].height - 0.05)
            kind = "passage" if wide or rng.random() < 0.4 else "open door"
            if wide and depth == 0 and rng.random() < self.style.glazed:
                kind = "glazed"
            opening = Opening(start, start + width, 0.0, top, kind)
            room.openings[int(edge)].append(opening)
            other, back, shift = neighbour
            other.openings[back].append(Opening(shift, shift + width, 0.0, top, "hole"))
            self.rooms.append(other)
            if depth < 1 and rng.random() < 0.6:
                self._connect(other, depth + 1)
            if len(self.rooms) > 5:
                break

    def _neighbour(self, room: Room, edge: int, start: float, width: float) -> tuple[Room, int, float] | None:
        """A rectangular room behind an opening, which of its edges has the opening, and where on it that starts."""
        rng = self.rng
        a, b, length, _ = room.edge(edge)
        along = (b - a) / length
        out = np.array([-along[1], along[0]])
        left, right = rng.uniform(0.1, 2.5, 2)
        low, high = start - left, start + width + right
        far = rng.uniform(1.5, 7.0)
        skin = room.thickness + 0.02
        corners = [a + along * low + out * skin, a + along * high + out * skin]
        plan = np.array([corners[0], corners[1], corners[1] + out * far, corners[0] + out * far])
        if any(overlaps(plan, other.plan) for other in self.rooms):
            return None
        palette = self._palette() if rng.random() < 0.5 else room.palette
        ceiling = room.height if rng.random() < 0.6 else float(max(rng.uniform(2.2, 3.2), room.height * 0.6))
        other = Room(plan, max(ceiling, 2.1), palette, thickness=0.02)
        # The near edge runs against the opening's wall, so positions count from its other end.
        for index in range(4):
            p, q, _, _ = other.edge(index)
            if abs(np.dot(p - a, out) - skin) < 1e-6 and abs(np.dot(q - a, out) - skin) < 1e-6:
                first = float(np.dot(p - a, along))
                forward = float(np.dot(q - p, along)) > 0
                shift = start - first if forward else first - start - width
                return other, index, shift
        return None

    def _shut_doors(self, room: Room) -> None:
        rng = self.rng
        for _ in range(int(rng.integers(self.style.doors[0], self.style.doors[1] + 1))):
            edge = int(rng.integers(len(room.plan)))
            width = float(rng.uniform(0.7, 1.0) if rng.random() < 0.8 else rng.uniform(1.3, 2.2))
            starts = room.free_stretches(edge, width)
            if starts:
                start = starts[int(rng.integers(len(starts)))]
                top = float(min(rng.uniform(1.95, 2.3), room.height - 0.08))
                room.openings[edge].append(Opening(start, start + width, 0.0, top, "door"))

    def _windows(self, room: Room, count: int) -> int:
        rng = self.rng
        tall = rng.random() < 0.2
        sill = 0.02 if tall else float(rng.uniform(0.4, 1.1))
        if room.height > 4.5 and rng.random() < 0.5:
            sill = float(rng.uniform(1.5, room.height * 0.55))
        top = float(
            min(
                room.height - rng.uniform(0.06, 0.5),
                sill + rng.uniform(0.9, 1.8 if not tall else 2.4) * max(1, room.height / 4),
            )
        )
        if top - sill < 0.4:
            return 0
        width = float(rng.uniform(0.6, 2.6))
        made = 0
        edges = [int(edge) for edge in rng.permutation(len(room.plan))]
        # Windows of a room share a wall or two.
        edges = (
            sorted(edges, key=lambda e: -room.edge(e)[2])[: int(rng.integers(1, 4))] if rng.random() < 0.7 else edges
        )
        for index in range(count):
            edge = edges[index % len(edges)]
            length = room.edge(edge)[2]
            wide = min(width, length * 0.9)
            starts = [s for s in room.free_stretches(edge, wide) if self._faces_outside(room, edge, s + wide / 2)]
            if not starts or wide < 0.35:
                continue
            start = starts[int(rng.integers(len(starts)))]
            room.openings[edge].append(Opening(start, start + wide, sill, top, "window"))
            made += 1
        return made

    def _faces_outside(self, room: Room, edge: int, at: float) -> bool:
        a, b, length, _ = room.edge(edge)
        along = (b - a) / length
        probe = a + along * at + np.array([-along[1], along[0]]) * np.array([[0.3], [1.5], [3.0]])
        return not any(inside(other.plan, probe).any() for other in self.rooms)

    def _fill_openings(self, room: Room) -> None:
        rng, builder = self.rng, self.builder
        hung = self.style.curtains
        dressing = rng.choice(["none", "curtains", "blinds"], p=[0.8 * (1 - hung), hung, 0.2 * (1 - hung)])
        for edge, openings in room.openings.items():
            a, _, _, yaw = room.edge(edge)
            for opening in openings:
                with builder.placed(a[0], a[1], yaw=yaw):
                    if opening.kind == "door":
                        build_door(builder, opening, room.thickness, room.palette, rng, angle=0.0)
                        # Behind a shut door lies nothing, so its gaps stay dark.
                        self._backing(opening, room)
                    elif opening.kind == "open door":
                        build_door(
                            builder, opening, room.thickness, room.palette, rng, angle=float(rng.uniform(0.3, 1.7))
                        )
                    elif opening.kind == "glazed":
                        build_window(builder, opening, room.thickness, room.palette, rng)
                    elif opening.kind == "passage" and rng.random() < 0.3:
                        build_trim(builder, opening, 0.08, 0.02, room.palette.trim, label="wall")
                    elif opening.kind == "window":
                        build_window(builder, opening, room.thickness, room.palette, rng)
                        if dressing == "curtains":
                            build_curtains(builder, opening, room.height, room.palette, rng)
                        elif dressing == "blinds":
                            build_blind(builder, opening, rng)
                        if opening.bottom > 0.45 and rng.random() < 0.35:
                            width = (opening.end - opening.start) * rng.uniform(0.6, 1.0)
                            build_radiator(
                                builder,
                                (opening.start + opening.end) / 2,
                                width,
                                opening.bottom - 0.25,
                                room.palette,
                                rng,
                            )
                        if self.day:
                            self._window_lamp(opening)

    def _backing(self, opening: Opening, room: Room) -> None:
        z, low, high = room.thickness, opening.start - 0.02, opening.end + 0.02
        corners = [[low, -opening.top - 0.02, z], [high, -opening.top - 0.02, z], [high, 0.0, z], [low, 0.0, z]]
        self.builder.quad(corners, room.palette.black, label="door")

    def _window_lamp(self, opening: Opening) -> None:
        """The light of the sky through a window."""
        middle, high = (opening.start + opening.end) / 2, (opening.bottom + opening.top) / 2
        points = self.builder.to_ground(
            [[middle, -high, 0.02], [opening.end, -high, 0.02], [middle, -opening.top, 0.02], [middle, -high, -0.98]]
        )
        center, half_u, half_v, inward = points[0], points[1] - points[0], points[2] - points[0], points[3] - points[0]
        area = 4 * float(np.linalg.norm(half_u) * np.linalg.norm(half_v))
        horizon, zenith, ground = (np.array(c) for c in (self.sky.horizon, self.sky.zenith, self.sky.ground))
        power = area * (0.5 * horizon + 0.2 * zenith + 0.3 * ground)
        self.lamps.append(Lamp(triple(center), triple(power), triple(half_u), triple(half_v), triple(inward)))

    def _overhead(self, main: Room, *, sloped: bool) -> None:
        """Beams, trusses, ducts and skylights; more of them in large and high rooms."""
        rng, builder = self.rng, self.builder
        area = float(np.prod(main.plan.max(0) - main.plan.min(0)))
        raw = self.style in {STYLES["warehouse"], STYLES["workshop"], STYLES["cellar"], STYLES["studio"], STYLES["gym"]}
        if rng.random() < (0.4 if raw else 0.1) and not sloped:
            beams(builder, rng, main)
        if rng.random() < (0.4 if raw else 0.03) and main.height > 3.2:
            trusses(builder, rng, main)
        if rng.random() < (0.4 if raw else 0.06):
            ducts(builder, rng, main)
        if self.day and not sloped and rng.random() < (0.2 if area > 40 else 0.04):
            self.lamps += skylights(builder, rng, main, float(rng.uniform(0.2, 0.6)))

    def _light(self, main: Room, *, shining: bool) -> None:
        rng = self.rng
        for room in self.rooms:
            area = float(np.prod(room.plan.max(0) - room.plan.min(0)))
            lit = not shining or rng.random() < 0.45
            if room is not main and rng.random() < 0.35:
                lit = False
            power = area * np.exp(rng.uniform(np.log(0.01), np.log(0.25))) * (max(room.height, 2.4) / 2.6)
            kind = str(rng.choice(self.style.lamps))
            if lit:
                self.lamps += ceiling_lamps(self.builder, rng, room, kind, power)
            elif rng.random() < 0.6:
                ceiling_lamps(self.builder, rng, room, kind, 1e-6)

    def _furnish(self, main: Room, camera: Float) -> None:
        rng, builder = self.rng, self.builder
        floor = Floorplan(main, camera, clear=0.35)
        filling = rng.uniform(*self.style.filling)
        area = float(np.prod(main.plan.max(0) - main.plan.min(0)))
        if rng.random() < (0.45 if area > 60 else 0.15 if area > 20 else 0.02):
            columns(builder, rng, main, floor)
        if self.style.rows:
            self._rows(main, floor, PIECES[self.style.rows])
        extras = EXTRAS if filling > 0.15 and rng.random() < 0.4 else ()
        for name, most in (*self.style.furniture, *extras):
            piece = PIECES[name]
            share = {"stairs": 0.5, "platform": 0.3, "fireplace": 0.3, "railing": 0.45, "low wall": 0.3}.get(name, 0.9)
            count = int(rng.binomial(most, filling * share))
            same = int(rng.integers(1 << 30))
            size = piece.size(rng)
            for _ in range(count):
                place = floor.find(
                    rng,
                    size,
                    at_wall=piece.at_wall and not (name in MOVABLE and rng.random() < 0.2),
                    flat=name == "rug",
                )
                if place is None or size[1] > main.height - 0.05:
                    # Perhaps a smaller one fits.
                    size = piece.size(rng)
                    continue
                x, z, yaw = place
                with builder.placed(x, z, yaw=yaw):
                    # Pieces of a kind in one room are alike.
                    piece.build(builder, np.random.default_rng(same), size, main.palette)
                    self._furniture_light(name, size, rng)
        self._hang_on_walls(main, floor, filling)

    def _rows(self, main: Room, floor: Floorplan, piece: Piece) -> None:
        """Rows of one piece along the room's longer side with aisles between them."""
        rng = self.rng
        low, high = main.plan.min(0) + 0.1, main.plan.max(0) - 0.1
        along = int(np.argmax(high - low)) if rng.random() < 0.7 else int(np.argmin(high - low))
        width, height, depth = piece.size(rng)
        height, aisle = min(height, main.height - 0.25), float(rng.uniform(0.9, 1.8))
        same, yaw = int(rng.integers(1 << 30)), 0.0 if along == 0 else np.pi / 2
        half = np.array([width, depth] if along == 0 else [depth, width]) / 2
        step = np.array([width + 0.01, depth + aisle] if along == 0 else [depth + aisle, width + 0.01])
        places = [np.arange(low[axis] + half[axis], high[axis] - half[axis] + 1e-6, step[axis]) for axis in (0, 1)]
        # A gap across all rows now and then.
        gap = float(rng.uniform(low[along], high[along]))
        for x in places[0]:
            for z in places[1]:
                corners = np.array([x, z]) + half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
                across = abs((x, z)[along] - gap) < 0.8
                if across or rng.random() < 0.04 or not floor.take(corners):
                    continue
                with self.builder.placed(float(x), float(z), yaw=yaw):
                    piece.build(self.builder, np.random.default_rng(same), (width, height, depth), main.palette)

    def _furniture_light(self, name: str, size: Vector, rng: Rng) -> None:
        if name == "softbox":
            center = self.builder.to_ground([0.0, -size[1] + size[0] / 2, 0.2])
            facing = self.builder.to_ground([0.0, -size[1] + size[0] / 2 + 0.3, 1.15]) - center
            facing /= np.linalg.norm(facing)
            power = float(np.exp(rng.uniform(np.log(0.3), np.log(4.0))))
            self.lamps.append(
                Lamp(triple(center), (power, power, power * 1.04), (0.3, 0, 0), (0, 0.3, 0), triple(facing))
            )
        elif name == "lamp" and rng.random() < 0.5:
            center = self.builder.to_ground([0.0, -size[1] - 0.05, 0.0])
            power = float(np.exp(rng.uniform(np.log(0.05), np.log(0.6))))
            tint = lamp_colour(rng)
            self.lamps.append(Lamp(triple(center), triple(power * c for c in tint), (0.1, 0, 0), (0, 0, 0.1)))

    def _hang_on_walls(self, room: Room, floor: Floorplan, filling: float) -> None:
        rng, builder = self.rng, self.builder
        sconces = rng.random() < 0.12
        tint, power = lamp_colour(rng), float(np.exp(rng.uniform(np.log(0.02), np.log(0.3))))
        busy = filling * rng.uniform(0, 1.5)
        for edge in range(len(room.plan)):
            a, _, length, yaw = room.edge(edge)
            for _ in range(int(rng.poisson(busy * length / 3))):
                width, height = rng.uniform(0.3, 1.4), rng.uniform(0.3, 1.1)
                bottom = rng.uniform(1.1, 1.7)
                if bottom + height > room.height - 0.1:
                    continue
                starts = [
                    s for s in room.free_stretches(edge, width) if not floor.blocks_wall(edge, s, s + width, bottom)
                ]
                if starts:
                    start = starts[int(rng.integers(len(starts)))]
                    room.openings[edge].append(Opening(start, start + width, bottom, bottom + height, "taken"))
                    with builder.placed(a[0], a[1], yaw=yaw), builder.placed(start + width / 2, 0.0):
                        painting(builder, rng, width, height, bottom, room.palette)
            if sconces and length > 1.5:
                starts = room.free_stretches(edge, 0.3)
                for s in starts[:: max(1, len(starts) // 3)][:3]:
                    with builder.placed(a[0], a[1], yaw=yaw):
                        self.lamps.append(wall_lamp(builder, s + 0.15, min(1.9, room.height - 0.4), power, tint))
