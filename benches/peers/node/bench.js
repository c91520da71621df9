// Sleeps and completes. Its job is in the environment: see ../README.md.
import { setTimeout as sleep } from "node:timers/promises";
import { BasicAuthInterceptor, Client } from "camunda-external-task-client-js";

const env = process.env;
const slots = Number(env.BENCH_SLOTS);
const tuned = {
  maxTasks: slots,
  maxParallelExecutions: slots,
  interval: 0,
  asyncResponseTimeout: 15_000,
};

const client = new Client({
  baseUrl: env.BENCH_URL,
  workerId: `node-${process.pid}`,
  interceptors: new BasicAuthInterceptor({ username: env.BENCH_USER, password: env.BENCH_PASSWORD }),
  lockDuration: Number(env.BENCH_LOCK_MS),
  autoPoll: false,
  ...(env.BENCH_TUNED ? tuned : {}),
});

for (const entry of env.BENCH_TOPICS.split(",")) {
  const [topic, millis] = entry.split("=");
  client.subscribe(topic, async ({ task, taskService }) => {
    if (millis !== "0") {
      await sleep(Number(millis));
    }
    await taskService.complete(task);
  });
}

client.on("complete:error", (task, error) => console.error(`complete: ${error}`));
client.on("poll:error", (error) => console.error(`poll: ${error}`));
client.start();
