import { recordGrpc } from "./grpc.js";
import { recordIoredis } from "./ioredis.js";
import { recordMariadb } from "./mariadb.js";
import { recordMysql2 } from "./mysql2.js";
import { recordNodeRedis } from "./node-redis.js";
import { recordPg } from "./pg.js";

// Writes the fixtures anew: each failure is provoked with a real driver and a real server. With names as arguments,
// only those.
const RECORDINGS = {
  pg: recordPg,
  ioredis: recordIoredis,
  redis: recordNodeRedis,
  mysql2: recordMysql2,
  mariadb: recordMariadb,
  grpc: recordGrpc,
};

async function main(names: readonly string[]): Promise<void> {
  for (const [name, record] of Object.entries(RECORDINGS)) {
    if (names.length === 0 || names.includes(name)) await record();
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
