"""Conditions on movers as a user writes them: movements such as `Champions -> *`, reasons and segments."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Struct

from rfm_pipeline.errors import UsageError
from rfm_pipeline.pipeline.segment_names import resolve_segments
from rfm_pipeline.sql.movers import REASONS, MoverFilter

_ARROW = "->"
_ANY = "*"
_EXAMPLE = "for example --moved 'Champions -> *'; * is any segment."


class MoverConditions(Struct, frozen=True):
    """Conditions whose segments are not compared with those of a history yet.

    Attributes:
        moved: Movements as pairs of the earlier and the later segment; `*` is any segment.
        reasons: Names of reasons.
        segments: Names of segments at the later date.
    """

    moved: tuple[tuple[str, str], ...] = ()
    reasons: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()

    @classmethod
    def parse(
        cls, moved: Sequence[str] = (), reasons: Sequence[str] = (), segments: Sequence[str] = ()
    ) -> MoverConditions:
        """Parse the values of `--moved`, `--reason` and `--segment`.

        Raises:
            UsageError: If a movement is not `FROM -> TO`, or there is no such reason.
        """
        names = tuple(reason.strip().casefold().replace("-", "_").replace(" ", "_") for reason in reasons)
        for name, reason in zip(names, reasons, strict=True):
            if name not in REASONS:
                raise UsageError(f"There is no reason '{reason}'.", f"choose one of {', '.join(REASONS)}.")
        return cls(tuple(map(_parse_move, moved)), tuple(dict.fromkeys(names)), tuple(segments))

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a movement nor a reason."""
        return not self.moved and not self.reasons

    def resolve(self, known: Collection[str]) -> MoverFilter:
        """Return the conditions with the segments in the spelling of the history.

        Args:
            known: Names of the segments of both dates.

        Raises:
            UsageError: If there is no such segment.
        """

        def name_of(end: str) -> str | None:
            return None if end == _ANY else resolve_segments((end,), known)[0]

        moves = dict.fromkeys((name_of(start), name_of(end)) for start, end in self.moved)
        for start, end in moves:
            if start is not None and start == end:
                raise UsageError(f"'{start} {_ARROW} {end}' is no movement.", _EXAMPLE)
        segments = resolve_segments(self.segments, known) if self.segments else ()
        return MoverFilter(tuple(moves), self.reasons, segments)


def move_text(move: tuple[str | None, str | None]) -> str:
    """Return a movement as `--moved` takes it.

    >>> move_text(("Champions", None))
    'Champions -> *'
    """
    start, end = (name or _ANY for name in move)
    return f"{start} {_ARROW} {end}"


def _parse_move(text: str) -> tuple[str, str]:
    """Return both segments of a movement; an arrow as `rfm transitions` prints it is taken, too.

    >>> _parse_move("Champions -> *")
    ('Champions', '*')
    """
    ends = [end.strip() for end in text.replace("→", _ARROW).split(_ARROW)]
    if len(ends) != 2 or not all(ends):
        raise UsageError(f"--moved is '{text}', which is no movement FROM -> TO.", _EXAMPLE)
    return ends[0], ends[1]
