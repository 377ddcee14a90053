import signal
import sys

from tests.support.warm import TREADLE, run_warm, warm

LOADED = "import sys; print(any(name.startswith('treadle.') for name in sys.modules))"


def test_a_process_has_its_own_arguments_folder_environment_and_input(tmp_path):
    code = "import os, sys; print(sys.argv, os.getcwd(), dict(os.environ), sys.stdin.read())"
    done = run_warm(["-c", code, "a"], cwd=tmp_path, env={"MINE": "é"}, text="ü")
    assert done.stdout == f"['-c', 'a'] {tmp_path} {{'MINE': 'é'}} ü\n"
    assert (done.returncode, done.stderr) == (0, "")


def test_it_ends_as_any_python_does():
    code = "import atexit, sys; atexit.register(print, 'At last.'); sys.exit(7)"
    done = run_warm(["-c", code])
    assert (done.returncode, done.stdout) == (7, "At last.\n")
    failed = run_warm(["-c", "1 / 0"])
    assert failed.returncode == 1
    assert failed.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_a_signal_ends_it():
    for number in (signal.SIGTERM, signal.SIGKILL):
        with warm(["-c", "import signal; signal.pause()"]) as process:
            assert process.poll() is None
            process.send_signal(number)
            assert process.wait(30) == -number


def test_modules_and_scripts_are_run(tmp_path):
    (tmp_path / "beside.py").write_text("print('beside', __name__)\n")
    (tmp_path / "script.py").write_text("import beside, sys\nprint(__name__, sys.argv[1:])\n")
    script = run_warm([tmp_path / "script.py", "a"])
    assert script.stdout == "beside beside\n__main__ ['a']\n"
    assert run_warm(["-m", "beside"], cwd=tmp_path).stdout == "beside __main__\n"


def test_none_of_treadle_is_loaded_beforehand_and_sets_are_ordered_anew():
    told = [run_warm(["-c", f"{LOADED}; print(hash('treadle'))"]).stdout for _ in range(2)]
    assert [one.splitlines()[0] for one in told] == ["False", "False"]
    assert told[0] != told[1]


def test_the_command_is_the_installed_one():
    done = run_warm([TREADLE, "--version"])
    assert done.stdout.startswith("treadle ")
    assert TREADLE.startswith(sys.prefix)
