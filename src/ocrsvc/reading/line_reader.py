"""Reads the images of lines: their texts, those of lines that stand on their head, and their alternatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from ocrsvc.pages.decoder import Decoder
from ocrsvc.reading import upside_down
from ocrsvc.reading.lines import LineImage
from ocrsvc.reading.model_runs import ModelRuns
from ocrsvc.reading.reading import Reading
from ocrsvc.recognition import alternatives, segments
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.results import LineText
from ocrsvc.scheduling.batcher import Lane

_LINES_AT_ONCE = 16  # lines whose alternatives are found in one call of a thread, in about 20 ms


class LineReader:
    """Reads lines with the recognisers of a reading; runs are batched, the rest is done by the decoder's threads."""

    def __init__(self, decoder: Decoder, runs: ModelRuns) -> None:
        self._decoder = decoder
        self._runs = runs

    async def texts(self, lines: Sequence[LineImage], reading: Reading) -> list[LineText]:
        """Return the text of each line as it is, with the text that the charset leaves out if there is a charset.

        With a cascade, doubtful lines are read again, and each text has the name of the model that read it.
        """
        cascade = reading.cascade
        texts = await self._texts(lines, reading.recogniser, reading)
        if cascade is None:
            return texts
        again = cascade.doubtful(texts)
        better = await self._texts([lines[i] for i in again], cascade.second, reading) if again else []
        named = [replace(text, model=cascade.first.spec.name) for text in texts]
        for i, text in zip(again, better, strict=True):
            named[i] = replace(text, model=cascade.second.spec.name)
        return named

    async def _texts(
        self, lines: Sequence[LineImage], recogniser: Recogniser, reading: Reading
    ) -> list[LineText]:
        spec = recogniser.spec
        charset = reading.charset.spec if reading.charset else ""
        steps = reading.wants_steps
        items = [
            (Lane(spec.name, spec.buckets.of(part.shape[1]), charset, steps), part)
            for line in lines
            for part in line.pixels
        ]
        answers = iter(await self._runs.texts(items, reading))
        texts = []
        for line in lines:
            parts = [next(answers) for _ in line.parts]
            text = segments.join(line.parts, parts, spec.input.height)
            if reading.charset:
                free = [cast(LineText, part.free) for part in parts]
                text = replace(text, free=segments.join(line.parts, free, spec.input.height))
            texts.append(text)
        return texts

    async def upright(
        self, lines: Sequence[LineImage], reading: Reading
    ) -> tuple[list[LineImage], list[LineText]]:
        """Return the lines and their texts; those that stand on their head are turned."""
        upright, texts = list(lines), await self.texts(lines, reading)
        if reading.options.orientation is not None:
            return upright, texts
        if not (again := upside_down.doubtful(lines, texts)):
            return upright, texts
        turned = [upside_down.half_turned(lines[i]) for i in again]
        for i, line, text in zip(again, turned, await self.texts(turned, reading), strict=True):
            if upside_down.is_upside_down(texts[i], text):
                upright[i], texts[i] = line, text
        return upright, texts

    async def with_alternatives(self, texts: list[LineText], reading: Reading) -> list[LineText]:
        """Return the texts with their alternatives, if the reading wants them; a few at a time on a thread."""
        if not reading.options.n_best:
            return texts
        parts = [texts[i : i + _LINES_AT_ONCE] for i in range(0, len(texts), _LINES_AT_ONCE)]
        return [each for part in parts for each in await self._decoder.run(alternatives.of_lines, part)]
