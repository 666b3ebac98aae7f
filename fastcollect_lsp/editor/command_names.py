"""Names of the commands that lenses and actions carry (`workspace/executeCommand`)."""

from __future__ import annotations

RUN = "fastcollect.run"
RUN_FILE = "fastcollect.runFile"
RUN_LAST = "fastcollect.runLast"
RUN_FAILED = "fastcollect.runFailed"
CANCEL = "fastcollect.cancel"
SHOW_OUTPUT = "fastcollect.showOutput"
DEBUG = "fastcollect.debug"
