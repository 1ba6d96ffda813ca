// Measures one contender at one task, a round whenever the parent asks for one.
import { contenders } from "./contenders/index.mjs";
import { tasks } from "./tasks/index.mjs";

const [taskName, contenderId] = process.argv.slice(2);
const task = tasks.find(({ name }) => name === taskName);
const contender = contenders.find(({ id }) => id === contenderId);

let measuring;

process.on("message", async (round) => {
  try {
    measuring ??= task.prepare(contender);
    const measure = await measuring;
    process.send({ values: await measure(round) });
  } catch (error) {
    process.send({ error: error?.stack ?? String(error) });
  }
});

// Sleeping calls would keep the process alive.
process.on("disconnect", () => process.exit());
