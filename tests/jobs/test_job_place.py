"""Where jobs are kept: one place, and an address of a database of which no error shows anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocrsvc.jobs.place import Dsn, WrongPlace, place_of
from ocrsvc.settings import Settings

ADDRESS = "postgresql://reader:open%20sesame@db.example.org:5433/jobs"


def test_each_kind_of_place(tmp_path: Path) -> None:
    file = tmp_path / "dsn"
    file.write_text(f"{ADDRESS}\n")
    assert place_of(Settings()) is None
    assert place_of(Settings(jobs_path=tmp_path / "jobs.sqlite")) == tmp_path / "jobs.sqlite"
    for settings in (Settings(jobs_dsn=ADDRESS), Settings(jobs_dsn_file=file)):
        place = place_of(settings)
        assert isinstance(place, Dsn)
        assert place.parameters()["password"] == "open sesame"  # noqa: S105
        assert str(place) == "postgresql://db.example.org:5433/jobs"
        assert "sesame" not in repr(place) + repr(settings) + settings.model_dump_json()


def test_a_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "dsn"
    file.write_text(ADDRESS)
    dsn = Dsn(path=file)
    file.write_text(ADDRESS.replace("open%20sesame", "changed"))
    assert dsn.parameters()["password"] == "changed"  # noqa: S105


@pytest.mark.parametrize(
    "address",
    [
        "sesame",
        "host=db password=sesame",
        "mysql://reader:sesame@db/jobs",
        "postgresql://reader:12/sesame@db/jobs",
        "postgresql://reader:sesame/12@db/jobs",
        "postgresql://reader:12@sesame@db/jobs",
        "postgresql://reader:%sesame@db/jobs",
        "postgresql://reader:x@db/jobs?sesame",
        "postgresql://reader:x@db/jobs?sesame=1",
        "postgresql://reader:x@db:sesame/jobs",
    ],
)
def test_nothing_of_a_wrong_address_is_shown(address: str, tmp_path: Path) -> None:
    file = tmp_path / "dsn"
    file.write_text(address)
    for settings in (Settings(jobs_dsn=address), Settings(jobs_dsn_file=file)):
        with pytest.raises(WrongPlace) as refused:
            place_of(settings)
        assert str(refused.value).startswith(("OCRSVC_JOBS_DSN: ", "OCRSVC_JOBS_DSN_FILE: "))
        assert "sesame" not in str(refused.value)
        assert "\n" not in str(refused.value)
        assert refused.value.__cause__ is None


def test_one_place_only(tmp_path: Path) -> None:
    with pytest.raises(WrongPlace, match=r"OCRSVC_JOBS_PATH: .*OCRSVC_JOBS_DSN is set as well"):
        place_of(Settings(jobs_path=tmp_path / "jobs.sqlite", jobs_dsn=ADDRESS))
    with pytest.raises(WrongPlace, match="goes into OCRSVC_JOBS_DSN"):
        place_of(Settings(jobs_path=ADDRESS))
    with pytest.raises(WrongPlace, match=r"OCRSVC_JOBS_DSN_FILE: .*No such file"):
        place_of(Settings(jobs_dsn_file=tmp_path / "missing"))
