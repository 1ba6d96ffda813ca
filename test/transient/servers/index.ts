export { freePort } from "./free-port.js";
export { type Grpc, type GrpcClient, type GrpcStep, startGrpc } from "./grpc.js";
export { type ServerName, whatIsMissing } from "./installed.js";
export { type Mariadb, startMariadb } from "./mariadb.js";
export { startPgbouncer } from "./pgbouncer.js";
export { type Postgres, startPostgres } from "./postgres.js";
export { type Cut, proxy, type TcpProxy } from "./proxy.js";
export { type Redis, startRedis } from "./redis.js";
export type { Server, Settings } from "./server.js";
