"""Threads: what comes back, what does not, and in which words."""

import logging
import threading
import time

import pytest
from PySide6.QtCore import QCoreApplication, QThread

from core.errors import ExportError, PanoError
from core.progress import Cancelled
from panoviewer.jobs import Job, Jobs, Lane


class Generation:
    def __init__(self):
        self.number = 1

    def __call__(self):
        return self.number


@pytest.fixture
def generation():
    return Generation()


@pytest.fixture
def jobs(qapp, generation):
    jobs = Jobs(generation)
    yield jobs
    jobs.close()


def test_work_runs_elsewhere_and_its_result_arrives_on_the_ui_thread(jobs, qtbot):
    seen = {}

    def work(progress):
        seen["work"] = QThread.currentThread()
        return 42

    jobs.run("Counting", work, done=lambda result: seen.update(result=result, done=QThread.currentThread()))
    qtbot.waitUntil(lambda: "result" in seen)
    assert seen["result"] == 42
    assert seen["done"] is QThread.currentThread()
    assert seen["work"] is not seen["done"]
    assert jobs.idle


def test_a_result_of_an_older_generation_is_dropped(jobs, qtbot, generation):
    results = []
    release, ended = threading.Event(), threading.Event()

    def work(progress):
        release.wait(60)
        ended.set()

    jobs.run("Estimating", work, done=results.append)
    generation.number += 1
    assert jobs.idle
    assert jobs.visible() == []
    release.set()
    qtbot.waitUntil(ended.is_set)
    qtbot.wait(50)
    assert results == []


def test_a_file_being_written_is_told_of_after_another_panorama_was_opened(jobs, qtbot, generation):
    written = []
    release = threading.Event()
    jobs.run("Writing room.ply", lambda progress: release.wait(60), done=written.append, outlives=True)
    generation.number += 1
    assert [job.title for job in jobs.visible()] == ["Writing room.ply"]
    release.set()
    qtbot.waitUntil(lambda: written == [True])
    assert jobs.idle


def test_stale_work_is_stopped_at_its_next_report(jobs, qtbot, generation):
    began, stopped = threading.Event(), threading.Event()

    def work(progress):
        began.set()
        try:
            while True:
                progress(0, 1)
                time.sleep(0.002)
        except Cancelled:
            stopped.set()
            raise

    jobs.run("Estimating", work, done=lambda _: None)
    assert began.wait(60)
    generation.number += 1
    assert stopped.wait(60)


def test_a_cancelled_job_is_silent_and_gone_at_once(jobs, qtbot):
    heard = []
    jobs.failed.connect(heard.append)
    began, stopped = threading.Event(), threading.Event()

    def work(progress):
        began.set()
        try:
            while True:
                progress(0, 1)
                time.sleep(0.002)
        finally:
            stopped.set()

    jobs.run("Estimating", work, done=heard.append)
    qtbot.waitUntil(began.is_set)
    jobs.cancel()
    assert jobs.visible() == []
    assert stopped.wait(60)
    qtbot.wait(50)
    assert heard == []


def test_only_the_latest_of_a_key_counts(jobs, qtbot):
    results = []
    for number in range(5):
        jobs.run("Painting", lambda progress, number=number: number, done=results.append, key="paint")
    qtbot.waitUntil(lambda: jobs.idle)
    qtbot.wait(50)
    assert results == [4]


def test_an_expected_failure_is_told_in_its_own_words(jobs, qtbot):
    def work(progress):
        raise ExportError("The disk is full.")

    with qtbot.waitSignal(jobs.failed) as heard:
        jobs.run("Writing", work, done=lambda _: None)
    assert heard.args == ["The disk is full."]


def test_an_expected_failure_goes_to_whoever_wants_it(jobs, qtbot):
    errors = []

    def work(progress):
        raise ExportError("The disk is full.")

    jobs.run("Writing", work, done=lambda _: None, failed=errors.append)
    qtbot.waitUntil(lambda: bool(errors))
    assert isinstance(errors[0], ExportError)


def test_a_fault_of_the_program_is_logged_and_told_in_a_sentence(jobs, qtbot, caplog):
    def work(progress):
        raise ZeroDivisionError("oops")

    with caplog.at_level(logging.ERROR), qtbot.waitSignal(jobs.failed) as heard:
        jobs.run("Estimating depth", work, done=lambda _: None)
    assert heard.args[0].startswith("Estimating depth failed")
    assert "oops" not in heard.args[0]
    assert "ZeroDivisionError" in caplog.text


def test_whoever_waits_for_a_job_hears_of_a_fault_too(jobs, qtbot):
    def work(progress):
        raise ZeroDivisionError("oops")

    errors, told = [], []
    jobs.failed.connect(told.append)
    jobs.run("Writing", work, done=lambda _: None, failed=errors.append)
    qtbot.waitUntil(lambda: bool(errors))
    assert isinstance(errors[0], PanoError)
    assert told == [str(errors[0])]


def test_models_never_run_side_by_side(jobs, qtbot):
    running, most, done = 0, 0, []
    lock = threading.Lock()

    def work(progress):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.03)
        with lock:
            running -= 1

    for _ in range(4):
        jobs.run("Estimating", work, done=done.append, lane=Lane.MODEL)
    qtbot.waitUntil(lambda: len(done) == 4)
    assert most == 1


def test_progress_is_reported_with_the_time_that_is_left(jobs, qtbot):
    fractions = []
    jobs.changed.connect(lambda: fractions.extend(job.fraction for job in jobs.visible()))
    finished = []

    def work(progress):
        for step in range(10):
            progress(step, 10)
            time.sleep(0.06)

    jobs.run("Estimating", work, done=lambda _: finished.append(True))
    qtbot.waitUntil(lambda: bool(finished))
    assert max(fractions) >= 0.5
    assert fractions == sorted(fractions)


def test_the_time_left_follows_from_the_time_spent():
    started = time.monotonic() - 6.0
    job = Job("Estimating", 1, None, True, print, None, started=started)
    assert job.seconds_left() is None
    job.fraction = 0.75
    assert 2.0 <= job.seconds_left() <= (time.monotonic() - started) / 3


def test_files_are_written_in_their_order_and_closing_does_not_cut_them_short(qapp, generation):
    jobs, written, told = Jobs(generation), [], []
    release = threading.Event()

    def write(number):
        release.wait(60)
        written.append(number)

    for number in range(3):
        jobs.run("Securing", lambda _progress, number=number: write(number), done=told.append, lane=Lane.FILES,
                 outlives=True, visible=False)  # fmt: skip
    threading.Timer(0.05, release.set).start()
    jobs.close()
    assert written == [0, 1, 2]
    QCoreApplication.processEvents()
    assert told == []


def test_draining_waits_for_what_was_given(jobs):
    written = []
    jobs.run("Securing", lambda _progress: (time.sleep(0.05), written.append(1)), done=print, lane=Lane.FILES)
    jobs.drain(Lane.FILES)
    assert written == [1]
