"""The notes service as a process of its own, on a store in memory and a free port."""

from mock_store import mock_client
from notes_service import NotesSettings, notes_app

from kit.service import run


def make() -> object:
    settings = NotesSettings.load()
    return notes_app(settings.data_dir, mock_client())


if __name__ == "__main__":
    run("notes_process:make", NotesSettings(port=0, log_format="json"))
