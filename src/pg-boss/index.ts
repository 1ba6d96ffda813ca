export {
  type PgBossClient,
  type PgBossJob,
  type PgBossOptions,
  type PgBossResult,
  type PgBossRetry,
  retryPgBoss,
} from "./retry-pg-boss.js";
