import { newIdempotencyKey } from "../common/new-key.js";
import { readOptions, STRING, show } from "../common/validate.js";
import { type RedisClient, scriptRunner } from "../redis/client.js";
import type { Claim, Held, IdempotencyStore } from "./store.js";

export interface RedisIdempotencyStoreOptions {
  /**
   * What the keys in Redis begin with.
   * @default "idempotency:"
   */
  prefix?: string | undefined;
}

// A key is a hash, and Redis lets it go when its lease or its record is over. Each step is one script: nothing comes between.
// Each may come twice, and does no more than once: ioredis sends again what was under way when its connection broke.
const CLAIM = `
local held = redis.call('hmget', KEYS[1], 'fingerprint', 'record', 'token')
if not held[1] or held[3] == ARGV[2] then
  redis.call('hset', KEYS[1], 'fingerprint', ARGV[1], 'token', ARGV[2])
  redis.call('pexpire', KEYS[1], ARGV[3])
  return {'won'}
end
if held[2] then return {'done', held[1], held[2]} end
return {'running', held[1], tostring(redis.call('pttl', KEYS[1]))}`;

const RENEW = `
local held = redis.call('hmget', KEYS[1], 'token', 'record')
if held[1] ~= ARGV[1] or held[2] then return 0 end
return redis.call('pexpire', KEYS[1], ARGV[2])`;

const RECORD = `
local held = redis.call('hmget', KEYS[1], 'token', 'record')
if held[1] ~= ARGV[1] or (held[2] and held[2] ~= ARGV[2]) then return 0 end
redis.call('hset', KEYS[1], 'record', ARGV[2])
return redis.call('pexpire', KEYS[1], ARGV[3])`;

const RELEASE = `
local held = redis.call('hmget', KEYS[1], 'token', 'record')
if held[1] == ARGV[1] and not held[2] then redis.call('del', KEYS[1]) end
return 0`;

const PEEK = `
local held = redis.call('hmget', KEYS[1], 'fingerprint', 'record')
if not held[1] then return {'free'} end
if held[2] then return {'done', held[1], held[2]} end
return {'running', held[1], tostring(redis.call('pttl', KEYS[1]))}`;

const SWAP = `
if redis.call('hget', KEYS[1], 'record') ~= ARGV[1] then return 0 end
if ARGV[3] == '' then return redis.call('del', KEYS[1]) end
redis.call('hset', KEYS[1], 'record', ARGV[2])
return redis.call('pexpire', KEYS[1], ARGV[3])`;

/**
 * Keeps keys and results in Redis: for a client of `ioredis` or of `redis`. Every step is one script. What Redis loses (a failover
 * before it was copied, an eviction) may happen again: where that must not be, use `postgresIdempotencyStore`. Throws a `TypeError` for
 * a bad option.
 *
 * @example
 * const client = { eval: async () => ["won"] }; // a client of ioredis or redis
 * const store = redisIdempotencyStore(client, { prefix: "orders:" });
 * (await store.claim("k1", "tea", 60_000)).state; // => "won"
 */
export function redisIdempotencyStore(
  client: RedisClient,
  options: RedisIdempotencyStoreOptions = {},
): IdempotencyStore {
  const runScript = scriptRunner("redisIdempotencyStore", client);
  const { prefix = "idempotency:" } = readOptions("redisIdempotencyStore", options, { prefix: STRING });
  const run = (script: string, key: string, ...args: readonly string[]) => runScript(script, [prefix + key], args);
  // Redis takes whole milliseconds.
  const ms = (time: number) => String(Math.ceil(time));

  return {
    async claim(key, fingerprint, lease): Promise<Claim> {
      const token = newIdempotencyKey();
      const reply = await run(CLAIM, key, fingerprint, token, ms(lease));
      return wordOf(reply) === "won" ? { state: "won", token } : heldOf(reply)!;
    },

    async renew(key, token, lease) {
      return Number(await run(RENEW, key, token, ms(lease))) === 1;
    },

    async record(key, token, record, keep) {
      return Number(await run(RECORD, key, token, record, ms(keep))) === 1;
    },

    async release(key, token) {
      await run(RELEASE, key, token);
    },

    async peek(key) {
      return heldOf(await run(PEEK, key));
    },

    async swap(key, from, to, keep) {
      const facts = to === undefined ? ["", ""] : [to, ms(keep)];
      return Number(await run(SWAP, key, from, ...facts)) === 1;
    },
  };
}

const wordOf = (reply: unknown) => (Array.isArray(reply) ? reply[0] : undefined);

/** What CLAIM and PEEK say of a key. */
function heldOf(reply: unknown): Held | undefined {
  const [state, fingerprint, more] = Array.isArray(reply) ? reply : [];
  if (state === "free") return undefined;
  if (state === "done") return { state, fingerprint, record: more };
  if (state === "running") return { state, fingerprint, retryAfter: Math.max(0, Number(more)) };
  throw new TypeError(
    `redisIdempotencyStore: client must be one of ioredis or redis; its eval returned ${show(reply)}`,
  );
}
