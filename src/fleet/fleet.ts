import type { CircuitBreaker } from "../circuit/breaker.js";
import type { CircuitBreakers } from "../circuit/breakers.js";
import type { RetryBudget } from "../common/attempt.js";
import { callHook, type HookOwner, report } from "../common/call-hook.js";
import { observed } from "../common/observed.js";
import { sharedUnder } from "../common/shared.js";
import type { FleetContext, Line } from "./line.js";
import { type Member, membersOf } from "./members.js";
import {
  type FleetOptions,
  type FleetPauses,
  type LimitedRequest,
  type PausesOptions,
  type readFleetOptions,
  readPausesOptions,
  readShareOptions,
  type ShareOptions,
} from "./options.js";
import type { FleetNews, FleetTransport } from "./protocol.js";
import { SharedPauses } from "./shared-pauses.js";

/** Guards that many processes share. */
export interface Fleet {
  /**
   * Makes this guard one that all processes of the fleet share, and returns it: functions that it wrapped before take
   * part. A breaker that is isolated stays so in this process until it is closed by hand; one that is open ends its opening
   * first. Throws a `TypeError` for a guard that is shared already, for one that cannot be (a breaker needs `failureRate`
   * or `slowRate`), and for a key that another guard, or another guard for each key, of this process has. Of a guard for each
   * key those whose key is no string and no number stay this process's own.
   */
  share<G extends CircuitBreaker | CircuitBreakers | RetryBudget>(guard: G, options?: ShareOptions): G;
  /**
   * Pauses that all processes of the fleet share, for `pauseOrigin` of `retryFetch` and `retryAxios`: where one of them is
   * asked to come back in 30 s, none of them calls before that. Clients with the same pauses, or with pauses of the same fleet
   * and the same keys, pause together. Throws a `TypeError` without a `key`.
   *
   * @example
   * const fleet = redisFleet({ eval: async () => [] }, { name: "orders" }); // a client of ioredis or redis
   * const pauses = fleet.pauses({ key: ({ url, headers }) => `${url.origin} ${headers.get("x-api-key")}` });
   * const api = retryFetch({ pauseOrigin: pauses });
   * pauses.stats.fleet.connected; // => false
   */
  pauses<Q = LimitedRequest>(options: PausesOptions<Q>): FleetPauses<Q>;
  /** Resolves when the store has said where the fleet stands, or did not in time: then no call has to ask. Never rejects. */
  ready(): Promise<void>;
  /** Makes every guard this process's own again, and lets go of all timers and listeners. The client stays open. */
  close(): Promise<void>;
}

const taken = /* @__PURE__ */ sharedUnder("fleet", new WeakSet<object>());

type Settings = ReturnType<typeof readFleetOptions<FleetOptions>>;

/** A fleet over any store: `transport` is the way to it. */
export class GuardFleet implements Fleet {
  readonly context: FleetContext;
  readonly #members = new Map<string, Member>();
  readonly #families = new Set<string>();
  readonly #shared = new Set<{ guard: object; release: () => void }>();
  readonly #lost = new Set<Line>();
  readonly #hooks: HookOwner;
  #pauses: SharedPauses | undefined;
  readonly #off: (() => void) | undefined;
  #closed = false;

  constructor(
    private readonly transport: FleetTransport & { close?(): Promise<void> | void },
    private readonly settings: Settings,
  ) {
    const { name, clock, random, every, patience, askAfter, maxExchanges, onHookError } = settings;
    this.#hooks = { name: `fleet ${name}`, kind: { sync: "" }, onHookError };
    this.context = {
      transport,
      clock,
      random,
      every,
      patience,
      askAfter,
      most: () => Math.max(1, maxExchanges / Math.max(1, this.#members.size)),
      changed: (line, error) => this.#changed(line, error),
      report: (error) => {
        if (!this.#closed) report(this.#hooks, this, error);
      },
    };
    this.#off = transport.onNews?.((news) => this.#hear(news));
  }

  share<G extends CircuitBreaker | CircuitBreakers | RetryBudget>(guard: G, options: ShareOptions = {}): G {
    if (this.#closed) throw new TypeError("fleet.share: the fleet is closed");
    if (taken.has(guard))
      throw new TypeError("fleet.share: guard must not be shared already, by this or another fleet");
    const found = membersOf(guard);
    const { key = "", capacitySeconds = 1 } = readShareOptions(options, found);
    const release = found.join({
      key,
      capacitySeconds,
      context: this.context,
      add: (name, make) => this.#add(name, make),
      drop: (name, member) => this.#drop(name, member),
      claim: (family) => this.#claim(family),
    });
    taken.add(guard);
    this.#shared.add({ guard, release });
    return guard;
  }

  pauses<Q = LimitedRequest>(options: PausesOptions<Q>): FleetPauses<Q> {
    if (this.#closed) throw new TypeError("fleet.pauses: the fleet is closed");
    const { key } = readPausesOptions(options);
    this.#pauses ??= this.#add("pauses", () => new SharedPauses(this.context, this.settings.name));
    return this.#pauses.by(key);
  }

  #add<M extends Member>(name: string, make: () => M): M {
    if (this.#members.has(name))
      throw new TypeError(`fleet.share: key is taken by another guard of this process: ${name}`);
    const member = make();
    this.#members.set(name, member);
    return member;
  }

  #claim(family: string): void {
    if (this.#families.has(family)) {
      throw new TypeError("fleet.share: key must be another than that of a family which this process shares already");
    }
    this.#families.add(family);
  }

  #drop(name: string, member: Member): void {
    member.close();
    this.#lost.delete(member.line);
    if (this.#members.get(name) === member) this.#members.delete(name);
  }

  async ready(): Promise<void> {
    await Promise.all([...this.#members.values()].map((member) => member.ready()));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#off?.();
    for (const [name, member] of [...this.#members]) this.#drop(name, member);
    for (const { guard, release } of this.#shared) {
      release();
      taken.delete(guard);
    }
    this.#shared.clear();
    await this.transport.close?.();
  }

  #hear(news: FleetNews): void {
    if (news.kind === "breaker") this.#members.get(`breaker ${news.key}`)?.hear?.(news);
    else this.#pauses?.pushed(news.epoch, news.pauses);
  }

  #changed(line: Line, error: unknown): void {
    const { onStoreLost, onStoreBack } = this.settings;
    const before = this.#lost.size;
    if (line.lost) this.#lost.add(line);
    else this.#lost.delete(line);
    if (line.lost && before === 0) {
      this.#tell("fleet-lost");
      if (onStoreLost) callHook(this.#hooks, onStoreLost, { key: line.key, error });
    }
    if (before === 1 && this.#lost.size === 0) {
      this.#tell("fleet-connected");
      if (onStoreBack) callHook(this.#hooks, onStoreBack, undefined as never);
    }
  }

  #tell(type: "fleet-lost" | "fleet-connected"): void {
    const { name, clock } = this.settings;
    observed.watcher?.emit({ type, name }, clock);
  }
}
