// How do I show on a terminal what a script is waiting for?
import ora from "ora";
import { type Hooks, retry, stopAfterAttempt, waitFixed } from "undaunted";

const most = 5;
const spinner = ora({ stream: process.stdout });
let ticking: NodeJS.Timeout | undefined;

const progress: Hooks = {
  onAttempt({ attempt }) {
    clearInterval(ticking);
    spinner.start(`attempt ${attempt} of ${most}`);
  },
  onRetry({ attempt, delay }) {
    const due = Date.now() + delay;
    const draw = () => {
      spinner.text = `attempt ${attempt} of ${most} failed, next in ${Math.ceil((due - Date.now()) / 1_000)} s`;
    };
    draw();
    ticking = setInterval(draw, 1_000);
  },
  onSuccess: ({ attempt }) => spinner.stopAndPersist({ symbol: "✔", text: `done in attempt ${attempt}` }),
  onGiveUp: ({ attempt }) => spinner.stopAndPersist({ symbol: "✖", text: `gave up after attempt ${attempt}` }),
};

let calls = 0;
const migrate = retry(
  async () => {
    if (++calls < 3) throw new Error("the database is starting");
  },
  { ...progress, stop: stopAfterAttempt(most), wait: waitFixed(200) }, // in a script: waitFixed(12_000)
);
await migrate();
// prints:
// - attempt 1 of 5
// - attempt 2 of 5
// - attempt 3 of 5
// ✔ done in attempt 3
