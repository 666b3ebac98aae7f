"""How editors start pytest: stand-ins for the files that they bring, which are in no registry.

Each does what its original does with pytest and with the process: which arguments and variables,
what is done at import, where results go. What editors do with the results is left out.
"""

from __future__ import annotations

VSCODE = {
    # `python_files` of the Python extension, on PYTHONPATH: the plugin asks for the pipe's name at
    # import, registers an exit function there, and opens the pipe when it has something to say.
    "../python_files/vscode_pytest/__init__.py": '''\
        import atexit, json, os
        import pytest

        TEST_RUN_PIPE = os.getenv("TEST_RUN_PIPE")
        IS_DISCOVERY = False
        __writer = None
        atexit.register(lambda: __writer.close() if __writer else None)

        def pytest_load_initial_conftests(early_config, parser, args):
            global TEST_RUN_PIPE, IS_DISCOVERY
            TEST_RUN_PIPE = os.getenv("TEST_RUN_PIPE")
            IS_DISCOVERY = "--collect-only" in args

        @pytest.hookimpl(hookwrapper=True, trylast=True)
        def pytest_report_teststatus(report, config):
            if report.when == "call":
                test = {"test": report.nodeid, "outcome": report.outcome}
                send({"cwd": os.getcwd(), "status": "success", "result": {report.nodeid: test}})
            yield

        def pytest_sessionfinish(session, exitstatus):
            if IS_DISCOVERY:
                tests = [{"id_": item.nodeid, "path": str(item.path)} for item in session.items]
                send({"cwd": os.getcwd(), "status": "success", "tests": tests, "error": []})

        def send(payload):
            global __writer
            if __writer is None:
                __writer = open(TEST_RUN_PIPE, "wb")
            data = json.dumps({"jsonrpc": "2.0", "params": payload})
            head = f"content-length: {len(data)}\\r\\ncontent-type: application/json\\r\\n\\r\\n"
            __writer.write(f"{head}{data}".encode())
            __writer.flush()

        class DeferPlugin:
            """Registered when another plugin is."""

        def pytest_plugin_registered(plugin, manager):
            name = "vscode_xdist"
            if not isinstance(plugin, DeferPlugin) and not manager.hasplugin(name):
                manager.register(DeferPlugin(), name=name)
        ''',
    "../python_files/vscode_pytest/run_pytest_script.py": """\
        import os, pathlib, sys
        import pytest

        if __name__ == "__main__":
            sys.path.append(os.fspath(pathlib.Path(__file__).parent.parent))
            sys.path.insert(0, os.getcwd())
            listed = pathlib.Path(os.environ["RUN_TEST_IDS_PIPE"])
            arguments = ["-p", "vscode_pytest", *sys.argv[1:], *listed.read_text().splitlines()]
            print("Running pytest with args: " + str(arguments))
            listed.unlink()
            pytest.main(arguments)
        """,
}

PYCHARM = {
    # PyCharm's runner: its own arguments become pytest's, the plugins are a module and a class.
    "../helpers/_jb_pytest_runner.py": """\
        import os, sys
        import pytest
        import teamcity_like

        if __name__ == "__main__":
            targets = [sys.argv[i + 1] for i, word in enumerate(sys.argv) if word == "--target"]
            args = [*targets, "--no-header", "--no-summary", "-q"]

            class Plugin:
                @staticmethod
                def pytest_configure(config):
                    print("##teamcity[enteredTheMatrix]")

            os.environ["_JB_PPRINT_PRIMITIVES"] = "1"
            try:
                sys.exit(pytest.main(args, [teamcity_like, Plugin]))
            finally:
                print("##teamcity[finished]")
        """,
    "../helpers/teamcity_like.py": """\
        def pytest_runtest_logreport(report):
            print(f"##teamcity[{report.when} name='{report.nodeid}' outcome='{report.outcome}']")
        """,
}


def vscode(command: str, pipe: str) -> str:
    """A command of the Python extension in a shell, and what it told the editor through `pipe`."""
    return (
        f"export TEST_RUN_PIPE={pipe} PYTHONPATH=$PWD/../python_files:$PYTHONPATH; "
        "mkfifo $TEST_RUN_PIPE; cat $TEST_RUN_PIPE > ../told & "
        f"{command} < /dev/null 2>&1 | cat; "
        "wait; rm $TEST_RUN_PIPE; cat ../told"
    )


DISCOVERY = "python -m pytest -p vscode_pytest --rootdir=$PWD --collect-only"
RUN = (
    "printf '%s\\n' $PWD/test_a.py::test_a $PWD/test_a.py::test_fails > ../ids; "
    "RUN_TEST_IDS_PIPE=../ids python ../python_files/vscode_pytest/run_pytest_script.py "
    "--rootdir=$PWD"
)
