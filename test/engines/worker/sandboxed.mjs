// A processor that BullMQ runs in a process of its own.
export default async function process(job) {
  if (job.attemptsMade < 2) throw Object.assign(new Error("busy"), { code: job.data.code });
  return "done";
}
