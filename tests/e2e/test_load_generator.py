"""hearwire-load tells the truth about a real server."""

import json
import signal
import subprocess
import time

import pytest

from hearwire_server import BIN, PATIENCE, Server, shared_folder, wait_until

DEFAULT_CONFIG = "hearwire_mn01_all_b_mel_avgs"


def start_load(server, tmp_path, *flags, report=None):
    command = [
        str(BIN / "hearwire-load"),
        f"--server={server.address}",
        f"--metrics-url=http://{server.metrics_address}/metrics",
        f"--json={report or tmp_path / 'report.json'}",
        "--warm-up=0",
        *flags,
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process, tmp_path, code=0):
    out, err = process.communicate(timeout=120 * PATIENCE)
    assert process.returncode == code, out + err
    return json.loads((tmp_path / "report.json").read_text())


def load(server, tmp_path, *flags, code=0):
    return finish(start_load(server, tmp_path, *flags), tmp_path, code)


def pause(server, seconds):
    """Stops the server's process, once it is busy, for a while."""
    wait_until(lambda: server.metric("hearwire_requests_total", code="OK") >= 10, 60 * PATIENCE, "the first calls")
    server.process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    server.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("loop", [["--rate=50", "--arrivals=constant"], ["--concurrency=1"]])
def test_a_paused_server_shows_in_p99(loop, tmp_path):
    with Server() as server:
        process = start_load(server, tmp_path, *loop, "--duration=5")
        pause(server, 1.0)
        report = finish(process, tmp_path)
    # A fifth of the time was lost: a call in a hundred waited for most of the second, and about a tenth for half of it.
    assert 700 < report["p99_ms"], report["p99_ms"]
    assert report["failed"] == 0
    assert report["count_check"]["agrees"] and report["count_check"]["exact"]


def test_counts_equal_the_servers(tmp_path):
    with Server() as server:
        report = load(
            server,
            tmp_path,
            "--concurrency=6",
            "--duration=2",
            "--clip-seconds=uniform:0.2,0.6",
            "--kind=scene=2,timestamps,tags,configs",
            f"--config={DEFAULT_CONFIG},mn10_all_b_mel_avgs,no_such_config",
        )
        check = report["count_check"]
        assert check["agrees"] and check["exact"], check
        # One ListConfigs comes before the run.
        assert check["server_counted"] == server.metric("hearwire_requests_total") - 1
        assert check["sent"] == check["answered"] == report["calls"]
        # What the server refuses counts under its code, at both ends.
        for code in ("OK", "NOT_FOUND", "FAILED_PRECONDITION"):
            found = report["succeeded"] if code == "OK" else report["errors"][code]
            assert found == server.metric("hearwire_requests_total", code=code) - (code == "OK")
        assert "no_such_config" in report["error_messages"]["NOT_FOUND"]


def test_a_call_that_an_overloaded_server_refuses_counts_as_refused(tmp_path):
    with Server("--max-queued-frames=300", "--workers=1") as server:
        report = load(server, tmp_path, "--concurrency=16", "--duration=2", "--clip-seconds=2")
        refused = report["errors"]["RESOURCE_EXHAUSTED"]
        assert refused > 0
        assert refused == server.metric("hearwire_rejected_total")
        assert report["failed"] == refused
        assert report["count_check"]["agrees"] and report["count_check"]["exact"], report["count_check"]


def test_calls_over_the_message_limit_are_not_called_compared(tmp_path):
    with Server("--max-message-bytes=100000") as server:
        process = start_load(server, tmp_path, "--rate=20", "--arrivals=constant", "--duration=1", "--clip-seconds=4")
        out, _ = process.communicate(timeout=60 * PATIENCE)
        report = json.loads((tmp_path / "report.json").read_text())
        assert server.metric("hearwire_requests_total", method="GetSceneEmbeddings") == 0
    calls = report["errors"]["RESOURCE_EXHAUSTED"]
    assert report["count_check"]["not_compared"] == calls == report["calls"] > 0
    assert f"counts not compared: all {calls} calls were refused by gRPC" in out
    assert "agree" not in out


def test_what_was_cancelled_expired_or_cut_off_adds_up(tmp_path):
    with Server("--workers=1") as server:
        report = load(
            server,
            tmp_path,
            "--rate=200",
            "--duration=2",
            "--clip-seconds=20",
            "--deadline=300ms",
            "--cancel=20%",
            "--cancel-after=20ms",
        )
        check = report["count_check"]
        assert check["agrees"] and not check["exact"], check
        assert check["failed_locally"] > 0
        assert check["sent"] == check["answered"] + check["failed_locally"]
        assert report["chosen_to_cancel"] > 0


def test_a_server_that_ends_fails_calls_and_confirms_nothing(tmp_path):
    server = Server()
    process = start_load(server, tmp_path, "--rate=50", "--duration=3")
    wait_until(lambda: server.metric("hearwire_requests_total", code="OK") >= 10, 60 * PATIENCE, "the first calls")
    server.stop()
    report = finish(process, tmp_path, 3)
    assert report["errors"]["UNAVAILABLE"] > 0 and report["succeeded"] > 0
    assert "no metrics at" in report["count_check"]["differences"][0]


def test_a_server_that_restarts_is_said_to_have_done_so(tmp_path):
    first = Server()
    ports = [f"--{name}-port={address.rsplit(':', 1)[1]}" for name, address in
             (("grpc", first.address), ("metrics", first.metrics_address))]
    process = start_load(first, tmp_path, "--rate=50", f"--duration={4 * PATIENCE}")
    wait_until(lambda: first.metric("hearwire_requests_total", code="OK") >= 10, 60 * PATIENCE, "the first calls")
    first.stop()
    with Server(*ports):
        report = finish(process, tmp_path, 3)
    differences = report["count_check"]["differences"]
    assert differences == ["the server was restarted meanwhile, and its counts began anew"], differences
    assert report["server"] is None


def test_a_missed_objective_is_exit_code_2(tmp_path):
    with Server() as server:
        flags = ("--rate=20", "--duration=1")
        met = load(server, tmp_path, *flags, "--objective-p99=20s", "--objective-errors=0", "--objective-rate=1")
        assert [objective["met"] for objective in met["objectives"]] == [True, True, True]
        missed = load(server, tmp_path, *flags, "--objective-p99=10us", code=2)
        assert [objective["met"] for objective in missed["objectives"]] == [False]


def test_an_interrupt_ends_the_run_with_its_report(tmp_path):
    with Server() as server:
        process = start_load(server, tmp_path, "--rate=50", "--duration=600")
        wait_until(lambda: server.metric("hearwire_requests_total", code="OK") >= 10, 60 * PATIENCE, "the first calls")
        process.send_signal(signal.SIGINT)
        report = finish(process, tmp_path, 128 + signal.SIGINT)
        assert report["calls"] >= 5
        assert any("interrupted" in note for note in report["notes"])


def test_an_interrupted_search_reports_the_best_rate_that_passed(tmp_path):
    with Server() as server:
        flags = (f"--knee-p99={10 * PATIENCE}s", "--rate=20", "--duration=1")
        process = start_load(server, tmp_path, *flags, f"--html={tmp_path / 'report.html'}")
        assert "rate 20: " in (line := process.stdout.readline()) and line.endswith(": passed\n"), line
        process.send_signal(signal.SIGINT)
        report = finish(process, tmp_path, 128 + signal.SIGINT)
    best = max(step["rate_per_second"] for step in report["steps"] if step["passed"])
    assert report["knee"]["per_second"] == report["rate_per_second"] == best >= 20
    assert report["knee"]["interrupted"]
    assert report["p99_ms"] > 0 and report["calls"] > 0
    assert any("search was interrupted" in note for note in report["notes"])
    assert "unconfirmed" in (tmp_path / "report.html").read_text()


def test_a_search_interrupted_at_once_has_no_figures(tmp_path):
    with Server() as server:
        process = start_load(server, tmp_path, "--knee-p99=1s", "--rate=50", "--duration=600")
        wait_until(lambda: server.metric("hearwire_requests_total", code="OK") >= 10, 60 * PATIENCE, "the first calls")
        process.send_signal(signal.SIGINT)
        report = finish(process, tmp_path, 128 + signal.SIGINT)
    assert report["knee"]["interrupted"] and report["knee"]["per_second"] is None
    assert "p99_ms" not in report
    assert not report["objectives"]
    assert any("before any rate had passed" in note for note in report["notes"])


def test_finds_a_knee_and_writes_pages_that_stand_alone(tmp_path):
    with Server("--workers=1") as server:
        patient = (f"--knee-p99={PATIENCE}s", f"--deadline={2 * PATIENCE}s")
        flags = (*patient, f"--duration={200 + 100 * PATIENCE}ms", "--clip-seconds=5", "--max-calls=2000")
        report = load(server, tmp_path, *flags, f"--html={tmp_path / 'report.html'}")
    assert report["knee"]["per_second"] > 0
    assert report["rate_per_second"] == report["knee"]["per_second"]
    passed = [step["rate_per_second"] for step in report["steps"] if step["passed"]]
    assert max(passed) >= report["knee"]["per_second"]
    assert report["count_check"]["agrees"], report["count_check"]
    compared = subprocess.run(
        [BIN / "hearwire-load", "--compare", tmp_path / "report.json", tmp_path / "report.json"]
        + [f"--html={tmp_path / 'compared.html'}"],
        capture_output=True, text=True, check=True, timeout=60,
    )
    assert not report["knee"]["interrupted"]
    assert "+0.0 %" in compared.stdout
    for name in ("report.html", "compared.html"):
        page = (tmp_path / name).read_text()
        assert page.count("<svg viewBox") >= 3
        assert "http://" not in page.replace(f"http://{server.metrics_address}", "") and "<script" not in page


def test_sends_files_and_says_which_cannot_be_read(tmp_path):
    with Server() as server:
        ended = start_load(server, tmp_path, "--clips", str(tmp_path / "absent.wav"))
        _, err = ended.communicate(timeout=60 * PATIENCE)
        assert ended.returncode == 1 and "absent.wav" in err
        folder = shared_folder()
        if folder is None:
            pytest.skip("no sounds to send")
        sounds = sorted((folder / "esc10").rglob("*.ogg"))
        report = load(server, tmp_path, "--rate=10", "--duration=1", "--clips", *map(str, sounds[:3]))
        assert report["succeeded"] == report["calls"] > 0
        assert report["audio_seconds_per_second"] > 0


@pytest.mark.parametrize("kind", [["--rate=20"], ["--rate=20", f"--knee-p99={10 * PATIENCE}s", "--max-calls=20"]])
def test_a_report_on_standard_output_stands_there_alone(kind, tmp_path):
    with Server() as server:
        process = start_load(server, tmp_path, *kind, "--duration=500ms", report="-")
        out, err = process.communicate(timeout=120 * PATIENCE)
    assert process.returncode == 0, err
    report = json.loads(out)
    assert report["name"] == "hearwire-load"
    assert "p99" in err and "counts agree" in err


def test_no_server_is_one_clear_line():
    ended = subprocess.run(
        [BIN / "hearwire-load", "--server=127.0.0.1:1"], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "hearwire-load: no server at 127.0.0.1:1: start one with hearwire-server, or name another with --server"
    ]


def test_a_server_that_is_there_but_does_not_answer_is_told_from_none():
    with Server() as server:
        server.process.send_signal(signal.SIGSTOP)
        try:
            ended = subprocess.run(
                [BIN / "hearwire-load", f"--server={server.address}"], capture_output=True, text=True, timeout=60
            )
        finally:
            server.process.send_signal(signal.SIGCONT)
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert f"what is at {server.address} does not answer within " in ended.stderr, ended.stderr


@pytest.mark.parametrize("pace", ["real-time", "fast"])
def test_streams_say_how_late_their_rows_are(tmp_path, pace):
    with Server() as server:
        html = tmp_path / "report.html"
        report = load(
            server, tmp_path, "--kind=stream", "--concurrency=3", "--duration=3", f"--pace={pace}", f"--html={html}"
        )
        assert report["failed"] == 0 and report["succeeded"] == 3
        assert 0 <= report["p50_ms"] <= report["p90_ms"] <= report["p99_ms"]
        stream = report["stream"]
        assert stream["rows_per_second"] == pytest.approx(20 * 3 * stream["real_time_factor"], rel=1e-6)
        if pace == "real-time":
            assert stream["real_time_factor"] == pytest.approx(1, abs=0.15)
            assert report["p50_ms"] < 1000 * PATIENCE
        else:
            assert stream["real_time_factor"] > 1.5 / PATIENCE
        assert report["server"]["batches"] > 0
        assert "Rows over time" in html.read_text()


def test_streams_that_a_server_refuses_count_as_failed(tmp_path):
    with Server() as server:
        report = load(server, tmp_path, "--kind=stream", "--concurrency=2", "--duration=1", "--config=no_such_config")
        assert report["errors"] == {"NOT_FOUND": 2}
        assert "no_such_config" in report["error_messages"]["NOT_FOUND"]
