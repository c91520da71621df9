"""Sleeps and completes. Its job is in the environment: see ../README.md."""

import asyncio
import os
import time

from camunda.external_task.external_task_worker import ExternalTaskWorker

TOPICS = {topic: int(millis) / 1000 for topic, millis in (it.split("=") for it in os.environ["BENCH_TOPICS"].split(","))}
LOGIN = {"username": os.environ["BENCH_USER"], "password": os.environ["BENCH_PASSWORD"]}
WORKER, URL = f"python-{os.getpid()}", os.environ["BENCH_URL"]
CONFIG = {"auth_basic": LOGIN, "lockDuration": int(os.environ["BENCH_LOCK_MS"]), "sleepSeconds": 1}


def plain():
    def handle(task):
        if TOPICS[task.get_topic_name()]:
            time.sleep(TOPICS[task.get_topic_name()])
        return task.complete()

    ExternalTaskWorker(WORKER, URL, CONFIG).subscribe(list(TOPICS), handle)


async def tuned():
    from camunda.external_task.async_external_task_worker import AsyncExternalTaskWorker

    async def handle(task):
        if TOPICS[task.get_topic_name()]:
            await asyncio.sleep(TOPICS[task.get_topic_name()])
        return task.complete()

    slots = int(os.environ["BENCH_SLOTS"])
    config = CONFIG | {"maxConcurrentTasks": slots, "asyncResponseTimeout": 15_000, "sleepSeconds": 0}
    await AsyncExternalTaskWorker(WORKER, URL, config).subscribe({topic: handle for topic in TOPICS})


if os.environ.get("BENCH_TUNED"):
    asyncio.run(tuned())
else:
    plain()
